import { createHash } from 'node:crypto';
import { makeEvent } from '../../../local/usgs/simulator/events.ts';
import type { SimulatedEvent } from '../../../local/usgs/simulator/events.ts';
import { below, chance, seeded } from '../../../local/usgs/simulator/random.ts';
import type { Random } from '../../../local/usgs/simulator/random.ts';
import { bronzeName, hourOf } from '../../../src/lakehouse/bronze/index.ts';

/** Share of messages that are a new version of an event that was published before. */
const REVISIONS = 0.5;

/** Events that are still revised: the newest ones. */
const REVISED = 20_000;

/** A message, and by what it is found again in a table. */
export interface EventMessage {
  /** The row's key. */
  id: string;
  /** The row's version, milliseconds since 1970: when it was published, later than any version of the event before. */
  updated: number;
  data: Buffer;
  attributes: Record<string, string>;
}

interface Known {
  event: SimulatedEvent;
  /** Versions published so far. */
  sent: number;
  updated: number;
}

/** What a message says of itself, beside its record. */
interface Origin {
  source: string;
  feed: string;
  extension: string;
  /** Hash of the contract. */
  contract: string;
}

/**
 * Messages as the function `poll` publishes them, of simulated events: half of them new events, half new versions of one of the newest
 * 20,000. The same seed gives the same events in the same order. The objects of Bronze that they name are not there: nothing that is
 * measured reads them.
 */
export class EventMessages {
  readonly #random: Random;
  readonly #origin: Origin;
  readonly #known: Known[] = [];
  #events = 0;
  #object = { second: NaN, name: '', records: 0 };

  constructor(origin: Origin, seed = 1) {
    this.#origin = origin;
    this.#random = seeded(seed);
  }

  /** The next one, published now (milliseconds since 1970). */
  next(now: number): EventMessage {
    const known = this.#known.length && chance(this.#random, REVISIONS) ? this.#revised() : this.#made(now);
    const { event } = known;
    const updated = Math.max(now, known.updated + 1);
    // Events of few versions begin anew: what counts is that the row changes.
    const version = event.versions[known.sent % event.versions.length] ?? event.versions[0];
    Object.assign(known, { updated, sent: known.sent + 1 });
    const feature = {
      type: 'Feature',
      properties: { ...version?.properties, updated },
      geometry: { type: 'Point', coordinates: version?.coordinates },
      id: event.id,
    };
    return { id: event.id, updated, data: Buffer.from(JSON.stringify(feature)), attributes: this.#attributes(now) };
  }

  #revised(): Known {
    return this.#known[below(this.#random, this.#known.length)] as Known;
  }

  #made(now: number): Known {
    const known = { event: makeEvent(this.#random, this.#events, now), sent: 0, updated: 0 };
    this.#known[this.#events % REVISED] = known;
    this.#events += 1;
    return known;
  }

  /** An object of Bronze a second, as if somebody polled so often. The carrier's order is the very moment. */
  #attributes(now: number): Record<string, string> {
    const { source, feed, extension, contract } = this.#origin;
    const second = Math.floor(now / 1000);
    if (second !== this.#object.second) {
      const sha256 = createHash('sha256').update(String(second)).digest('hex');
      const name = bronzeName({ source, feed, hour: hourOf(new Date(now)), sha256, extension });
      this.#object = { second, name, records: 0 };
    }
    const { name, records } = this.#object;
    this.#object.records += 1;
    return {
      source,
      contract,
      bronze_object: name,
      record_id: `${name}#${records}`,
      carrier_order: String(now * 1000),
    };
  }
}
