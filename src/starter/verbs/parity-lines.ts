import type { Difference, DifferenceKind, VersionOfKey } from '../../lakehouse/parity/index.ts';

const MEANS: Record<DifferenceKind, string> = {
  missing: 'Silver lacks the key',
  behind: 'Silver has a lesser row than Bronze gives',
  ahead: 'Silver has a greater row than Bronze gives',
  unknown: 'Silver has a key that Bronze does not give',
  unequal: 'the same record, and other values',
  first_version: 'the least version ever seen differs',
  duplicate: 'Silver has the key more than once',
};

function writtenBy({ writtenBy: { file, snapshotId, at, groupId, batchIds } }: VersionOfKey): string[] {
  const snapshot = snapshotId ? `snapshot ${snapshotId}${at ? ` of ${at}` : ', expired'}` : `written ${at ?? ''}`;
  const [first] = batchIds;
  const more = batchIds.length > 1 ? ` and ${batchIds.length - 1} more` : '';
  return [
    `      written by ${snapshot}${groupId ? `, group ${groupId}` : ''}${first ? `, batch ${first}${more}` : ''}`,
    `      file ${file}`,
  ];
}

function versionLines(side: string, version: VersionOfKey | null): string[] {
  if (!version) return [`  ${side}  none`];
  const { recordId, bronzeObject, contract } = version.provenance;
  return [
    `  ${side}  ${JSON.stringify(version.row)}`,
    `      _record_id ${recordId}`,
    `      _bronze_object ${bronzeObject}`,
    `      _contract ${contract}`,
    ...writtenBy(version),
  ];
}

/** A key that differs, with both versions and where each came from. */
export function differenceLines({ key, kind, columns, silver, shadow }: Difference): string[] {
  return [
    `${key}: ${kind}, ${MEANS[kind]}${columns.length ? `: ${columns.join(', ')}` : ''}`,
    ...versionLines('Silver', silver),
    ...versionLines('Bronze', shadow),
  ];
}
