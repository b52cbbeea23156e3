import { spawnSync } from 'node:child_process';
import { PROJECT } from '../../scripts/tools.ts';

/** Runs a module in a process of its own, from the project's folder: a fix that is loaded once stays. */
export function runModule(source: string): { status: number | null; stdout: string; stderr: string } {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source];
  return spawnSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8', timeout: 60_000 });
}

/** Runs a module with the SDK loadable and the named fixes installed, and returns what it handed to `tell` or how it ended. */
export function withFixes(
  fixes: Record<string, string>,
  body: string,
): { told: unknown; stdout: string; stderr: string } {
  const imports = Object.entries(fixes).map(
    ([file, install]) => `import { ${install} } from './beam/sdk-fixes/${file}.ts';`,
  );
  const { status, stdout, stderr } = runModule(`
    import './beam/sdk-fixes/node-24.ts';
    import { createRequire } from 'node:module';
    import { startRunner } from './test/support/fn-api-runner.ts';
    ${imports.join('\n')}
    ${Object.values(fixes)
      .map((install) => `${install}();`)
      .join('\n')}
    const require = createRequire(process.cwd() + '/');
    const tell = (value) => { process.stdout.write('\\nTOLD ' + JSON.stringify(value) + '\\n', () => process.exit(0)); };
    ${body}`);
  const told = /^TOLD (.*)$/m.exec(stdout)?.[1];
  return { told: told === undefined ? `ended with ${status}` : (JSON.parse(told) as unknown), stdout, stderr };
}
