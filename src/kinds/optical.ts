// CD, DVD and BD: 2048-byte sectors, and a drive that is not the medium.
import type { Kind } from '../model/kind.ts'

const minute = 60

export const optical: Kind = {
  name: 'optical',
  label: 'CD, DVD or BD',
  stages: ['image', 'enumerate', 'load', 'copy', 'archive'],
  sources: ['device', 'image'],
  sectorBytes: 2048,
  isDrive: false,
  passes: [
    {
      name: 'sweep',
      does: 'reads what can be read at full speed and jumps over what cannot',
      options: ['--no-trim', '--no-scrape'],
      patienceSec: 5 * minute,
      stubborn: false,
      least: 1,
    },
    {
      name: 'scrape',
      does: 'reads what is left sector by sector',
      options: [],
      patienceSec: 20 * minute,
      stubborn: false,
      least: 10,
    },
    {
      name: 'retry',
      does: 'tries every bad sector three times more',
      options: ['--retry-passes=3'],
      patienceSec: 20 * minute,
      stubborn: true,
      least: 10,
    },
    {
      name: 'backwards',
      does: 'tries them three times from the other end',
      options: ['--reverse', '--retry-passes=3'],
      patienceSec: 20 * minute,
      stubborn: true,
      least: 10,
    },
    {
      name: 'stubborn',
      does: 'tries them eight times, one sector at a time',
      options: ['--cluster-size=1', '--retry-passes=8', '--reopen-on-error'],
      patienceSec: 40 * minute,
      stubborn: true,
      least: 0,
    },
  ],
}
