// Fixes of apache-beam 2.49.0, one file per bug, each with a test that fails without it (test/unit/beam). Import this first.
import './node-24.ts';
import { installAsyncDoFns } from './async-dofn.ts';

installAsyncDoFns();
