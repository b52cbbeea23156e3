import { parse } from 'yaml';

const UNITS: Record<string, number> = {
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
};

interface SlaProperty {
  property?: unknown;
  value?: unknown;
  unit?: unknown;
  element?: unknown;
}

/** Names of elements of ODCS: several may stand in one property, separated by commas. */
function elementsOf({ element }: SlaProperty): string[] {
  return typeof element === 'string' ? element.split(',').map((name) => name.trim()) : [];
}

/**
 * Freshness that a contract promises (ODCS `slaProperties`), in milliseconds; undefined where it promises none. It is a
 * promise to readers and no part of the compiled contract: another promise makes no partition stale.
 *
 * @param text YAML of an ODCS contract
 * @param goldTable `gold.<table>`: the promise of that table. Default: that of the source itself
 */
export function freshnessOf(text: string, goldTable?: string): number | undefined {
  const { slaProperties } = (parse(text) ?? {}) as { slaProperties?: SlaProperty[] };
  const isMeant = (name: string): boolean => name === goldTable || name.startsWith(`${goldTable}.`);
  const promised = slaProperties?.find((sla) => {
    const elements = elementsOf(sla);
    const meant = goldTable ? elements.some(isMeant) : !elements.some((name) => name.startsWith('gold.'));
    return sla.property === 'freshness' && meant;
  });
  if (!promised) return undefined;
  const unit = UNITS[String(promised.unit ?? 'h').replace(/s$/, '')];
  const value = Number(promised.value);
  return unit !== undefined && value > 0 ? value * unit : undefined;
}
