import { startFlink } from '../support/beam-runners.ts';
import { portableSuite } from '../support/portable-suite.ts';

portableSuite(startFlink);
