/** Codes whose text may quote what a remote system said of a value; the run in Temporal has the text. */
const QUOTING = new Set(['CUP_DATAFLOW_JOB_FAILED', 'CUP_DATAFORM_INVOCATION_FAILED', 'CUP_GOOGLE_REFUSED']);

/** Most characters of a text. */
const LENGTH = 500;

/**
 * Why a run failed, without values of the payload.
 *
 * @param code of the catalogue; undefined: whatever the error says, nobody has checked it
 */
export function failureText(code: string | undefined, message: string): string {
  if (!code?.startsWith('CUP_')) return 'an error without a code; the workflow says more';
  if (QUOTING.has(code)) return `${code}; the workflow says more`;
  return message.replaceAll(/\s+/g, ' ').trim().slice(0, LENGTH);
}
