import { expect, test } from 'vitest';
import { setUpTemporal } from '../../../src/starter/temporal-setup.ts';
import type { SetupServices } from '../../../src/starter/temporal-setup.ts';
import { SEARCH_ATTRIBUTES } from '../../../src/workflows/search-attributes.ts';

const NAMES = Object.keys(SEARCH_ATTRIBUTES);
const PERMISSION_DENIED = 7;
const NOT_FOUND = 5;

const refuse = (code: number) => () => Promise.reject(Object.assign(new Error('refused'), { code }));

interface Fake {
  namespaces: string[];
  attributes: Record<string, number>;
  services: SetupServices;
}

/** A server that keeps what it is told. */
function server(given: { namespaces?: string[]; attributes?: Record<string, number> }): Fake {
  const namespaces = given.namespaces ?? [];
  const attributes = given.attributes ?? {};
  const services = {
    workflowService: {
      describeNamespace: ({ namespace }: { namespace: string }) =>
        namespaces.includes(namespace)
          ? Promise.resolve({
              config: {
                customSearchAttributeAliases: Object.fromEntries(Object.keys(attributes).map((n, i) => [`K${i}`, n])),
              },
            })
          : refuse(NOT_FOUND)(),
      registerNamespace: ({ namespace }: { namespace: string }) => Promise.resolve(void namespaces.push(namespace)),
    },
    operatorService: {
      listSearchAttributes: () => Promise.resolve({ customAttributes: attributes }),
      addSearchAttributes: ({ searchAttributes }: { searchAttributes: Record<string, number> }) =>
        Promise.resolve(void Object.assign(attributes, searchAttributes)),
    },
  };
  return { namespaces, attributes, services: services as unknown as SetupServices };
}

/** A server whose administration is somebody else's, such as Temporal Cloud. */
function managed(given: { namespaces?: string[]; attributes?: Record<string, number> }): Fake {
  const fake = server(given);
  fake.services = {
    workflowService: { ...fake.services.workflowService, registerNamespace: refuse(PERMISSION_DENIED) },
    operatorService: {
      listSearchAttributes: refuse(PERMISSION_DENIED),
      addSearchAttributes: refuse(PERMISSION_DENIED),
    },
  } as unknown as SetupServices;
  return fake;
}

test('an empty server gets namespace and search attributes, all Keyword; the second time nothing', async () => {
  const { services, namespaces, attributes } = server({});
  expect(await setUpTemporal(services, 'cupel')).toEqual({ namespace: 'cupel', registered: true, made: NAMES });
  expect(namespaces).toEqual(['cupel']);
  expect(attributes).toEqual(Object.fromEntries(NAMES.map((name) => [name, 2])));
  expect(await setUpTemporal(services, 'cupel')).toEqual({ namespace: 'cupel', registered: false, made: [] });
});

test('what is there stays', async () => {
  const { services } = server({ namespaces: ['cupel'], attributes: { CupelSource: 2, Other: 3 } });
  expect((await setUpTemporal(services, 'cupel')).made).toEqual(NAMES.filter((name) => name !== 'CupelSource'));
});

test('an attribute of another type is an error, not a surprise at the first run', async () => {
  const { services } = server({ namespaces: ['cupel'], attributes: { CupelSource: 1 } });
  await expect(setUpTemporal(services, 'cupel')).rejects.toMatchObject({
    code: 'CUP_TEMPORAL_SETUP',
    details: { attribute: 'CupelSource', expected: 'Keyword' },
  });
});

test('a namespace that others made is taken, also where none can be made', async () => {
  const attributes = Object.fromEntries(NAMES.map((name) => [name, 2]));
  const { services } = managed({ namespaces: ['cupel.a1b2c'], attributes });
  expect(await setUpTemporal(services, 'cupel.a1b2c')).toMatchObject({ registered: false, made: [] });
});

test('where nothing can be made, it says what to type', async () => {
  const { services } = managed({ namespaces: ['cupel.a1b2c'], attributes: { CupelSource: 2 } });
  const missing = NAMES.filter((name) => name !== 'CupelSource');
  await expect(setUpTemporal(services, 'cupel.a1b2c')).rejects.toMatchObject({
    code: 'CUP_TEMPORAL_SETUP',
    message: expect.stringContaining(
      `tcld namespace search-attributes add --namespace cupel.a1b2c --search-attribute ${missing[0]}=Keyword`,
    ),
    details: { missing: missing.join(', ') },
  });
  await expect(setUpTemporal(managed({}).services, 'cupel.a1b2c')).rejects.toMatchObject({
    code: 'CUP_TEMPORAL_SETUP',
    message: expect.stringContaining('tcld namespace create'),
  });
});
