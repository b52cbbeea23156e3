import { startPrism } from '../support/beam-runners.ts';
import { portableSuite } from '../support/portable-suite.ts';

portableSuite(startPrism);
