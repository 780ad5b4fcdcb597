// The pipeline: its order is the order of work.
import type { Stage } from '../model/stage.ts'
import { archive } from './archive/index.ts'
import { copy } from './copy/index.ts'
import { enumerate } from './enumerate/index.ts'
import { image } from './image/index.ts'
import { load } from './load/index.ts'

export const stages: readonly Stage[] = [image, enumerate, load, copy, archive]
