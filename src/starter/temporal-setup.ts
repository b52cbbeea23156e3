import type { OperatorService, WorkflowService } from '@temporalio/client';
import { cupelError } from '../errors.ts';
import { ALREADY_EXISTS, NOT_FOUND } from '../gcp/errors.ts';
import { SEARCH_ATTRIBUTES } from '../workflows/search-attributes.ts';

/** The parts of a connection that setting up talks to. */
export interface SetupServices {
  workflowService: Pick<WorkflowService, 'describeNamespace' | 'registerNamespace'>;
  operatorService: Pick<OperatorService, 'listSearchAttributes' | 'addSearchAttributes'>;
}

/** What setting up found and did. */
export interface SetupResult {
  namespace: string;
  /** Whether the namespace was made now. */
  registered: boolean;
  /** Search attributes made now. */
  made: string[];
}

/** IndexedValueType of Temporal's API. */
const VALUE_TYPES = { Keyword: 2 } as const;

/** gRPC codes of a service that we may not use, or that is not there: Temporal Cloud's operator service is either. */
const NOT_FOR_US = [7, 12, 16];

const RETENTION_DAYS = 30;
const ATTEMPTS = 30;
const PAUSE_MS = 500;

const codeOf = (error: unknown): number | undefined => (error as { code?: number }).code;

const notForUs = (error: unknown): boolean => NOT_FOR_US.includes(codeOf(error) ?? -1);

/** The namespace becomes usable a moment after it was made; until then its search attributes cannot be set. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== NOT_FOUND || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function exists({ workflowService }: SetupServices, namespace: string): Promise<boolean> {
  try {
    await workflowService.describeNamespace({ namespace });
    return true;
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return false;
    throw error;
  }
}

async function register({ workflowService }: SetupServices, namespace: string): Promise<void> {
  const workflowExecutionRetentionPeriod = { seconds: (RETENTION_DAYS * 86_400) as never };
  try {
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  } catch (error) {
    if (codeOf(error) === ALREADY_EXISTS) return;
    if (!notForUs(error)) throw error;
    const advice = 'make it with the tools of whoever runs Temporal, on Temporal Cloud: tcld namespace create';
    throw cupelError(
      'CUP_TEMPORAL_SETUP',
      { namespace, found: 'no such namespace, and no right to make it', advice },
      error,
    );
  }
}

/** What can be known of a namespace's search attributes without the operator service: their names, not their types. */
async function namesOnly({ workflowService }: SetupServices, namespace: string): Promise<Record<string, undefined>> {
  const { config } = await workflowService.describeNamespace({ namespace });
  return Object.fromEntries(Object.values(config?.customSearchAttributeAliases ?? {}).map((name) => [name, undefined]));
}

async function knownAttributes(
  services: SetupServices,
  namespace: string,
): Promise<Record<string, number | undefined>> {
  try {
    const known = await retried(() => services.operatorService.listSearchAttributes({ namespace }));
    return known.customAttributes ?? {};
  } catch (error) {
    if (!notForUs(error)) throw error;
    return namesOnly(services, namespace);
  }
}

async function addAttributes(services: SetupServices, namespace: string, missing: string[]): Promise<void> {
  const typed = missing as (keyof typeof SEARCH_ATTRIBUTES)[];
  const searchAttributes = Object.fromEntries(typed.map((name) => [name, VALUE_TYPES[SEARCH_ATTRIBUTES[name]]]));
  try {
    await retried(() => services.operatorService.addSearchAttributes({ namespace, searchAttributes }));
  } catch (error) {
    if (!notForUs(error)) throw error;
    const flags = typed.map((name) => `--search-attribute ${name}=${SEARCH_ATTRIBUTES[name]}`).join(' ');
    const advice = `on Temporal Cloud: tcld namespace search-attributes add --namespace ${namespace} ${flags}`;
    throw cupelError('CUP_TEMPORAL_SETUP', { namespace, missing: missing.join(', '), advice }, error);
  }
}

/**
 * Makes the namespace and the search attributes that are not there; what is there stays. A namespace that others made, as
 * on Temporal Cloud, is taken as it is.
 *
 * @throws CupelError CUP_TEMPORAL_SETUP saying what to type where this account may not make what is missing
 */
export async function setUpTemporal(services: SetupServices, namespace: string): Promise<SetupResult> {
  const registered = !(await exists(services, namespace));
  if (registered) await register(services, namespace);
  const known = await knownAttributes(services, namespace);
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES)) {
    const found = known[name];
    if (found !== undefined && found !== VALUE_TYPES[type])
      throw cupelError('CUP_TEMPORAL_SETUP', { namespace, attribute: name, expected: type, found: `type ${found}` });
  }
  const missing = Object.keys(SEARCH_ATTRIBUTES).filter((name) => !(name in known));
  if (missing.length) await addAttributes(services, namespace, missing);
  return { namespace, registered, made: missing };
}
