// Fixes of apache-beam 2.49.0, one file per bug, each with a test that fails without it (test/unit/beam; docs/runners.md lists
// them). Import this first: the first ones must come before the SDK is loaded.
import './node-24.ts';
import { installMessageSize } from './message-size.ts';
import { installAsyncDoFns } from './async-dofn.ts';
import { installChannelErrors } from './channel-errors.ts';
import { installDataOrder } from './data-order.ts';
import { installExternalEnvironments } from './external-environments.ts';
import { installFlushBuffer } from './flush-buffer.ts';
import { installLazyPubsub } from './lazy-pubsub.ts';
import { installMetricLabel } from './metric-label.ts';
import { installMetricReset } from './metric-reset.ts';
import { installNumberCoder } from './number-coder.ts';
import { installOfferArtifacts } from './offer-artifacts.ts';
import { installOneGrpc } from './one-grpc.ts';
import { installProgress } from './progress.ts';
import { installQuietControl } from './quiet-control.ts';
import { installSplitDeclined } from './split-declined.ts';
import { installVarint } from './varint.ts';
import { installWorkerId } from './worker-id.ts';

installOneGrpc();
installLazyPubsub();
installMessageSize();
installAsyncDoFns();
installOfferArtifacts();
installWorkerId();
installQuietControl();
installSplitDeclined();
installProgress();
installChannelErrors();
installDataOrder();
installFlushBuffer();
installVarint();
installNumberCoder();
installMetricLabel();
installMetricReset();
installExternalEnvironments();
