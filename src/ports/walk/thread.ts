// A thread that goes on with a walk: it looks, and is never more than a few blocks ahead of whoever takes them. Started by ../walk.ts.
import { parentPort } from 'node:worker_threads'
import { libc } from '../libc.ts'
import { giveUp, goOn, type Going } from './going.ts'

/** What it is told: where to go on, that a block was taken, or to stop. */
export type Told = Going | 'taken' | 'stop'

const mostAhead = 8

const port = parentPort
if (port === null) throw new Error('this is started as a thread')
let ahead = 0
let isStopped = false
let wake: (() => void) | null = null

port.on('message', (told: Told) => {
  if (told === 'taken') ahead -= 1
  else if (told === 'stop') isStopped = true
  else void work(told)
  wake?.()
})

async function work(going: Going): Promise<void> {
  try {
    for (const block of goOn(going)) {
      port?.postMessage(block, [block.buffer])
      ahead += 1
      while (ahead >= mostAhead && !isStopped) await new Promise<void>((resolve) => (wake = resolve))
      if (isStopped) break
    }
    // The last word, without which it has not come to the end.
    if (!isStopped) port?.postMessage(null)
  } finally {
    giveUp(going)
    port?.close()
  }
}

libc()
port.postMessage('ready')
