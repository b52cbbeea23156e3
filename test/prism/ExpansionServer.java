import static net.bytebuddy.matcher.ElementMatchers.named;

import java.util.List;
import net.bytebuddy.ByteBuddy;
import net.bytebuddy.description.type.TypeDescription;
import net.bytebuddy.dynamic.ClassFileLocator;
import net.bytebuddy.dynamic.loading.ClassLoadingStrategy;
import net.bytebuddy.implementation.MethodDelegation;
import net.bytebuddy.implementation.bind.annotation.This;
import net.bytebuddy.pool.TypePool;
import org.apache.beam.sdk.expansion.service.ExpansionService;

/**
 * Beam's expansion service with a worker beside it, in which Pub/Sub's source stays one. Beam splits it into eighty that are all
 * equal, and keeps their readers in a map by what they are: one takes the other's reader, and the job ends after a minute or two
 * with "Cannot nackAll on persisting checkpoint". Dataflow reads Pub/Sub by itself and has no part in this.
 */
public final class ExpansionServer {
  /** Takes the place of the source's own method. */
  public static final class One {
    public static List<Object> split(@This Object source) {
      return List.of(source);
    }
  }

  public static void main(String[] arguments) throws Exception {
    ClassLoader loader = ExpansionServer.class.getClassLoader();
    ClassFileLocator classes = ClassFileLocator.ForClassLoader.of(loader);
    TypeDescription source =
        TypePool.Default.of(classes)
            .describe("org.apache.beam.sdk.io.gcp.pubsub.PubsubUnboundedSource$PubsubSource")
            .resolve();
    new ByteBuddy()
        .redefine(source, classes)
        .method(named("split"))
        .intercept(MethodDelegation.to(One.class))
        .make()
        .load(loader, ClassLoadingStrategy.Default.INJECTION);
    ExpansionService.main(arguments);
  }
}
