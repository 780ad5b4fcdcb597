// The image stage in a process of its own, to be killed: node imaging.ts FOLDER DEVICE.
import { image } from '../../src/stages/image/index.ts'
import { hands } from './hands.ts'
import { medium } from './media.ts'

const [folder = '', path = ''] = process.argv.slice(2)
const disc = medium({ source: { type: 'device', path }, expect: { bytes: Number(process.env['NTT_BYTES']) } })
const world = hands(folder, { run: `run${process.pid}` })
await image.run(disc, await image.observe(disc, world), world, null)
