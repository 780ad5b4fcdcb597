// Floppies and Zip disks: small, slow, and mostly helped by trying again.
import type { Kind } from '../model/kind.ts'

const minute = 60

export const floppy: Kind = {
  name: 'floppy',
  label: 'floppy or Zip disk',
  stages: ['image', 'enumerate', 'load', 'copy', 'archive'],
  sources: ['device', 'image'],
  sectorBytes: 512,
  isDrive: false,
  passes: [
    {
      name: 'sweep',
      does: 'reads track by track and jumps over what cannot be read',
      options: ['--cluster-size=18', '--no-trim', '--no-scrape'],
      patienceSec: 3 * minute,
      stubborn: false,
      least: 1,
    },
    {
      name: 'scrape',
      does: 'reads what is left sector by sector',
      options: ['--cluster-size=18'],
      patienceSec: 10 * minute,
      stubborn: false,
      least: 1,
    },
    {
      name: 'retry',
      does: 'tries every bad sector five times more',
      options: ['--cluster-size=1', '--retry-passes=5'],
      patienceSec: 10 * minute,
      stubborn: true,
      least: 1,
    },
    {
      name: 'backwards',
      does: 'tries them five times from the other end',
      options: ['--cluster-size=1', '--reverse', '--retry-passes=5', '--reopen-on-error'],
      patienceSec: 10 * minute,
      stubborn: true,
      least: 0,
    },
  ],
}
