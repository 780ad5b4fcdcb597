// What scripts/validators.mjs writes beside this file.
import type { Validate } from '../model/document.ts'

/** schemas/medium.schema.json */
export declare const medium: Validate
/** schemas/ntt.schema.json */
export declare const ntt: Validate
/** schemas/plan.schema.json */
export declare const plan: Validate
