// What the processors of this machine do together: two threads of one core are two processors, and not twice the work.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const spinMs = 300
const tries = 3

/** Counts how often it can count to a million until the time is over; begins when all are there. */
const spin = `
  const { parentPort, workerData } = require('node:worker_threads')
  const turn = () => { let sum = 0; for (let i = 0; i < 1e6; i += 1) sum = (sum + i * i) | 0; return sum }
  for (let i = 0; i < 50; i += 1) turn()
  parentPort.postMessage('ready')
  parentPort.once('message', () => {
    const ends = performance.now() + workerData
    let turns = 0
    while (performance.now() < ends) { turn(); turns += 1 }
    parentPort.postMessage(turns)
  })`

/** How many times the work of one thread so many do at once, each in the best of some tries: their number where each has a core for itself. */
export async function together(threads: number): Promise<number> {
  const [alone, all]: [number[], number[]] = [[], []]
  for (let count = 0; count < tries; count += 1) {
    alone.push(await turnsOf(1))
    all.push(await turnsOf(threads))
  }
  return Math.max(...all) / Math.max(...alone)
}

async function turnsOf(threads: number): Promise<number> {
  const workers = Array.from({ length: threads }, () => new Worker(spin, { eval: true, workerData: spinMs }))
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    const turns = workers.map(async (worker) => {
      worker.postMessage('go')
      const [count] = (await once(worker, 'message')) as [number]
      return count
    })
    return (await Promise.all(turns)).reduce((sum, count) => sum + count, 0)
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}
