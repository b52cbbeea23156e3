/** Why a record is in quarantine. The catalogue is closed: a code that is not here does not exist. */
export const REASON_CODES = {
  malformed_record: 'the record cannot be read as its carrier should have written it',
  not_an_object: 'the record is no JSON object',
  missing_required: 'a required column has no value',
  wrong_type: 'a value has another type than its column',
  out_of_range: 'a number is not finite, or an integer is not whole or beyond 2^53',
  unknown_field: 'a member that the contract does not know, and unknownFields is discard_row',
} as const;

/** A code of the catalogue. */
export type ReasonCode = keyof typeof REASON_CODES;
