import grpc from '@grpc/grpc-js';
import { GrpcError } from '../../grpc.ts';

/** What the client's library takes for "this acknowledgement came too late". */
const INVALID_ACK_ID = 'PERMANENT_FAILURE_INVALID_ACK_ID';

const DETAILS = 'Some acknowledgement ids in the request were invalid. This could be because they have expired.';

/** A field of protobuf that holds bytes: its tag, their length, the bytes. */
function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

/** google.rpc.ErrorInfo. */
interface ErrorInfo {
  reason: string;
  domain: string;
  metadata: Record<string, string>;
}

/** google.rpc.Status with one google.rpc.ErrorInfo: these protos are not among those of the client. */
function statusWith({ reason, domain, metadata }: ErrorInfo): Buffer {
  const entries = Object.entries(metadata).map(([key, value]) =>
    field(3, Buffer.concat([field(1, key), field(2, value)])),
  );
  const errorInfo = Buffer.concat([field(1, reason), field(2, domain), ...entries]);
  const any = Buffer.concat([field(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, errorInfo)]);
  const code = Buffer.from([1 << 3, grpc.status.INVALID_ARGUMENT]);
  return Buffer.concat([code, field(2, DETAILS), field(3, any)]);
}

/** INVALID_ARGUMENT that names the ack ids which an exactly-once subscription does not take. */
export class InvalidAckIds extends GrpcError {
  readonly errorInfo: ErrorInfo;

  constructor(ackIds: readonly string[]) {
    const failures = Object.fromEntries(ackIds.map((id) => [id, INVALID_ACK_ID]));
    const errorInfo = { reason: 'INVALID_ACK_ID', domain: 'pubsub.googleapis.com', metadata: failures };
    const metadata = new grpc.Metadata();
    metadata.set('grpc-status-details-bin', statusWith(errorInfo));
    super(grpc.status.INVALID_ARGUMENT, DETAILS, metadata);
    this.errorInfo = errorInfo;
  }
}
