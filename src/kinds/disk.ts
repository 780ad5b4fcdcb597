// Hard disks, sticks and cards: what is read is the drive itself.
import type { Kind } from '../model/kind.ts'

const minute = 60

export const disk: Kind = {
  name: 'disk',
  label: 'hard disk, stick or card',
  stages: ['image', 'enumerate', 'load', 'copy', 'archive'],
  sources: ['device', 'image'],
  sectorBytes: 512,
  isDrive: true,
  passes: [
    {
      name: 'sweep',
      does: 'reads what can be read at full speed and jumps over what cannot',
      options: ['--no-trim', '--no-scrape'],
      patienceSec: 10 * minute,
      stubborn: false,
      least: 1,
    },
    {
      name: 'trim',
      does: 'narrows each gap from both ends',
      options: ['--no-scrape'],
      patienceSec: 30 * minute,
      stubborn: false,
      least: 1,
    },
    {
      name: 'scrape',
      does: 'reads what is left sector by sector',
      options: [],
      patienceSec: 60 * minute,
      stubborn: false,
      least: 25,
    },
    {
      name: 'retry',
      does: 'tries every bad sector three times more',
      options: ['--retry-passes=3'],
      patienceSec: 60 * minute,
      stubborn: true,
      least: 25,
    },
    {
      name: 'backwards',
      does: 'tries them three times from the other end',
      options: ['--reverse', '--retry-passes=3'],
      patienceSec: 60 * minute,
      stubborn: true,
      least: 25,
    },
    {
      name: 'stubborn',
      does: 'tries them ten times, one sector at a time, opening the drive anew after each error',
      options: ['--cluster-size=1', '--retry-passes=10', '--reopen-on-error'],
      patienceSec: 120 * minute,
      stubborn: true,
      least: 0,
    },
  ],
}
