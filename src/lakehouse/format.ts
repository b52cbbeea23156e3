/** Microseconds since 1970 as `YYYY-MM-DDTHH:MM:SS.ffffffZ`. */
export function formatTimestamp(micros: bigint): string {
  const ms = micros >= 0n ? micros / 1000n : (micros - 999n) / 1000n;
  const rest = micros - ms * 1000n;
  return new Date(Number(ms)).toISOString().replace('Z', `${String(rest).padStart(3, '0')}Z`);
}
