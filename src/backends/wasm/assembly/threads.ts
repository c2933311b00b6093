// Jobs: a kernel cuts its work into parts, which the calling thread and worker threads claim one after another.
//
// The sizes alone decide how a kernel is cut. The result of a part does not depend on the thread that computes it. The
// numbers are therefore the same for any number of threads.
//
// All threads run an instance of this module over one shared memory. Part 0 belongs to the caller. The other parts are
// claimed by an atomic addition to TICKET: by the caller from the front, by workers from the back. A thread then mostly
// claims the same range in successive kernels, and its cache already holds the data. The caller waits for claimed parts
// only, never for a worker that has not started.
//
// A job ends when every claimed part is finished. Three faults must not block the caller:
// - A worker traps inside a part. Its JavaScript catches the trap and calls `partFailed`, which counts the part as
//   finished and as failed. The caller then throws.
// - A worker is terminated or stopped while it holds a part. The caller waits in intervals of 100 ms and gives up after
//   1.6 s without progress (longer if the caller's own parts took long). It then calls `lost`, which throws. The memory
//   is not used again, because the worker may wake up and write.
// - The caller traps. Its JavaScript calls `settle`, which claims the remaining parts and waits for the parts that
//   workers hold.
//
// Workers may not see a growth of the memory while they run, so each generation of workers has a control block of its
// own. After a growth the caller uses the next block. Workers of older generations see no job in the old block, and are
// terminated.

/**
 * A part of a kernel's work. It reads its arguments from the block at ARGUMENTS; `work` is the thread's own slot of
 * work memory.
 */
export type Part = (part: i32, parts: i32, work: usize) => void;

/** Starts worker number `thread` of a generation. */
// @ts-ignore: decorator
@external("env", "startWorker")
declare function startWorker(thread: i32, generation: i32): void;

/** The time in milliseconds. */
// @ts-ignore: decorator
@external("env", "now")
declare function now(): f64;

/**
 * Returns the address of work memory for the running kernel: region 0 is shared by all threads, region 1 holds one slot
 * for each thread. The earlier contents of the region are lost. Only the caller may call this, before `run`. Throws a
 * MemoryError if memory is short.
 */
// @ts-ignore: decorator
@external("env", "workMemory")
declare function workMemory(region: i32, bytes: f64): usize;

/** Throws: a worker holds a part and makes no progress. */
// @ts-ignore: decorator
@external("env", "lost")
declare function lost(): void;

/** Throws: `failed` parts trapped in workers. */
// @ts-ignore: decorator
@external("env", "trapped")
declare function trapped(failed: i32): void;

// The first page of memory, shared by all generations.
const THREADS: usize = 64; // i32: threads, the caller included. A worker sleeps if its number is not below
const JOB: usize = 128; // i32: index of the part function
const WORK: usize = 136; // i32: address of the work memory, and the bytes of each slot
const FAULT: usize = 192; // i32: a fault that tests inject into the next part, see `injectFault`
/**
 * Address of the arguments of the running kernel: 512 bytes. Each file of kernels declares its own class `Arguments`
 * over this block.
 */
export const ARGUMENTS: usize = 512;
/** Address to which a worker writes the message of its trap, in ASCII, ended by a 0. */
const MESSAGE: usize = 2048;

// The control block of a generation: each word on a cache line of its own.
const BLOCKS: usize = 4096;
const BLOCK: usize = 512;
const TICKET: usize = 0; // i64: parts << 32 | parts claimed from the back << 16 | parts claimed from the front
const FINISHED: usize = 64; // i32: parts of the job that are finished
const JOBS: usize = 128; // i32: jobs so far. A change wakes sleeping workers and tells a worker to take a slot again
const SLEEPERS: usize = 192; // i32
const WAITING: usize = 256; // i32: 1 while the caller sleeps until FINISHED changes
const SLOT: usize = 320; // i32: slots of work memory taken in this job
const FAILED: usize = 384; // i32: parts that trapped

/** Generations that fit below the module's own data (memoryBase, see the build script). */
export const GENERATIONS: i32 = 48;

/**
 * A thread that waits checks this number of times before it sleeps: a worker until the next job, the caller until the
 * job ends.
 */
const LOOKS: i32 = 200000;
/** The caller sleeps in intervals of this length, in milliseconds. */
const INTERVAL: f64 = 100;
/**
 * The caller calls `lost` after PATIENCE intervals in which no part was finished, or after PATIENCE_PARTS times the
 * average duration of its own parts, if that is longer.
 */
const PATIENCE: i32 = 16;
const PATIENCE_PARTS: f64 = 8;

// The state of this thread. `setThreads`, `nextGeneration`, `run` and `serve` set it.

/**
 * threads: threads that take parts. mostThreads: the largest `threads` so far. started: threads of this generation. All
 * include the caller.
 */
let threads: i32 = 1, mostThreads: i32 = 1, started: i32 = 1;
/** True if the caller may block. */
let maySleep: bool = true;
/** The current generation of workers, and the address of its control block. */
let generation: i32 = 0, control: usize = BLOCKS;
/** In the caller: true during a job with workers. In a worker: true while it holds a part. */
let busy: bool = false;

/**
 * Sets the number of threads that take parts, the caller included. `sleep`: true if the caller may block. Does not stop
 * workers: a worker that has not seen a smaller number yet may take one more part, and computes it correctly.
 */
export function setThreads(count: i32, sleep: bool): void {
  threads = count;
  mostThreads = max(mostThreads, count);
  maySleep = sleep;
  atomic.store<i32>(THREADS, count);
}

/**
 * Begins a new generation: the next job starts new workers. Returns false if no block is left; then jobs run in the
 * calling thread only.
 */
export function nextGeneration(): bool {
  started = 1;
  if (generation + 1 == GENERATIONS) {
    threads = 1;
    return false;
  }
  generation++;
  control = BLOCKS + BLOCK * <usize>generation;
  return true;
}

/**
 * Cuts n items into `parts` ranges. Returns the first item of range `part`, a multiple of `unit` (n for part = parts).
 * The range ends before the first item of range `part` + 1.
 */
export function cut(n: i32, part: i32, parts: i32, unit: i32): i32 {
  const units = (<i64>n + unit - 1) / unit;
  return <i32>min<i64>(n, ((units * part) / parts) * unit);
}

/**
 * The number of parts for n items: as many as possible, at most `most`, with at least `least` items in each part. At
 * least 1.
 */
export function partsFor(n: i32, least: i32, most: i32): i32 {
  return max(1, min(most, n / least));
}

/**
 * The number of threads. A kernel may choose its parts by this number only if its result does not depend on the parts.
 */
export function threadCount(): i32 {
  return threads;
}

/**
 * The number of threads that can take parts of a job of `parts` parts at once, each with a slot of work memory. Counts
 * the largest number of threads ever set: a worker that has not seen a smaller number yet may still take a part.
 */
export function slots(parts: i32): i32 {
  return max(1, min(parts, mostThreads));
}

/**
 * Reserves work memory that all threads share. Returns its address. Throws a MemoryError if the memory is too short.
 */
export function reserveShared(bytes: f64): usize {
  return workMemory(0, bytes);
}

/**
 * Reserves work memory for a job of `parts` parts: `size` bytes for each thread that can take parts at once. Returns
 * its address.
 */
export function reserveSlots(parts: i32, size: f64): usize {
  return workMemory(1, size * <f64>slots(parts));
}

/** `run` with new work memory: `size` bytes for each thread. */
export function runWith(job: Part, parts: i32, size: f64): void {
  run(job, parts, reserveSlots(parts, size), <usize>size);
}

/**
 * Runs all parts of `job` and returns when they are finished. `work`: the address of slots(parts) slots of `size`
 * bytes, one per thread.
 */
export function run(job: Part, parts: i32, work: usize, size: usize): void {
  if (threads == 1 || parts == 1) {
    for (let part = 0; part < parts; part++) job(part, parts, work);
    return;
  }
  for (; started < threads; started++) startWorker(started, generation);
  store<i32>(JOB, job.index);
  store<i32>(WORK, <i32>work);
  store<i32>(WORK, <i32>size, 4);
  store<i32>(control + SLOT, 1); // slot 0 is the caller's
  store<i32>(control + FAILED, 0);
  atomic.store<i32>(control + FINISHED, 0);
  busy = true;
  atomic.add<i32>(control + JOBS, 1); // before TICKET, so that a worker that claims a part sees the new number
  atomic.store<i64>(control + TICKET, (<i64>parts << 32) | 1); // part 0 is the caller's
  if (atomic.load<i32>(control + SLEEPERS) > 0) atomic.notify(control + JOBS, -1);
  const began = now();
  if (load<i32>(FAULT) != 0) injectInCaller();
  job(0, parts, work);
  atomic.add<i32>(control + FINISHED, 1);
  const computed = 1 + takeParts(0);
  waitFor(parts, (now() - began) / computed);
  busy = false;
  const failed = load<i32>(control + FAILED);
  if (failed > 0) trapped(failed);
}

/** Returns when `parts` parts are finished. `average`: how long one of the caller's own parts took, in milliseconds. */
function waitFor(parts: i32, average: f64): void {
  const patience = max<f64>(PATIENCE, (PATIENCE_PARTS * average) / INTERVAL);
  let looks = 0;
  let seen = -1;
  let idle: f64 = 0; // intervals since a part was finished
  for (;;) {
    const done = atomic.load<i32>(control + FINISHED);
    if (done >= parts) return;
    if (done != seen) {
      seen = done;
      idle = 0;
    }
    if (++looks < LOOKS) continue;
    const began = now();
    if (maySleep) {
      atomic.store<i32>(control + WAITING, 1);
      atomic.wait<i32>(control + FINISHED, done, <i64>(INTERVAL * 1e6));
      atomic.store<i32>(control + WAITING, 0);
    } else {
      while (now() - began < INTERVAL && atomic.load<i32>(control + FINISHED) == done) {}
    }
    // An interval that took much longer does not count: the OS did not run this thread either.
    if (now() - began < 1.5 * INTERVAL) idle += 1;
    if (idle > patience) {
      busy = false;
      lost();
    }
  }
}

/**
 * After a trap in the caller: clears TICKET, so that no thread claims another part, and waits until workers finish
 * their parts.
 */
export function settle(): void {
  if (!busy) return;
  const ticket = atomic.xchg<i64>(control + TICKET, 0);
  // Threads also count claims that found no part, so the counts may exceed the number of parts.
  const claimed = min(<i32>(ticket >> 32), <i32>((ticket >> 16) & 0xffff) + <i32>(ticket & 0xffff));
  waitFor(claimed - 1, 0); // all but the part in which the caller trapped
  busy = false;
}

/** The number of parts of a ticket that no thread has claimed. */
// @ts-ignore: decorator
@inline
function unclaimed(ticket: i64): i32 {
  return <i32>(ticket >> 32) - <i32>((ticket >> 16) & 0xffff) - <i32>(ticket & 0xffff);
}

/**
 * Claims and computes parts until none is left. A worker may go on with the next job if the caller has already started
 * that job. Returns the number of parts.
 */
function takeParts(thread: i32): i32 {
  let count = 0;
  let slot = 0;
  let job = -1; // the job in which this thread took the slot
  for (let ticket = claim(thread); unclaimed(ticket) > 0; ticket = claim(thread), count++) {
    // This thread now holds a part: until the part is finished, the job does not end and its arguments do not change.
    const parts = <i32>(ticket >> 32);
    const next = thread == 0 ? <i32>(ticket & 0xffff) : parts - 1 - <i32>((ticket >> 16) & 0xffff);
    busy = true;
    if (thread > 0 && job != load<i32>(control + JOBS)) {
      job = load<i32>(control + JOBS);
      slot = atomic.add<i32>(control + SLOT, 1);
    }
    if (thread > 0 && load<i32>(FAULT) != 0) injectInWorker();
    call_indirect<void>(load<i32>(JOB), next, parts, <usize>load<i32>(WORK) + <usize>slot * <usize>load<i32>(WORK, 4));
    if (thread > 0) busy = false; // before the caller may start another job
    finish();
  }
  return count;
}

/**
 * Claims a part. Returns the ticket before the claim: `unclaimed(ticket)` is positive if a part was left, and its
 * counts give the part's number.
 */
// @ts-ignore: decorator
@inline
function claim(thread: i32): i64 {
  return atomic.add<i64>(control + TICKET, thread == 0 ? 1 : 1 << 16);
}

/** Counts a part as finished. */
function finish(): void {
  atomic.add<i32>(control + FINISHED, 1);
  if (atomic.load<i32>(control + WAITING) != 0) atomic.notify(control + FINISHED, 1);
}

/** The loop of worker number `thread` (from 1). Never returns. */
export function serve(thread: i32, generation: i32): void {
  control = BLOCKS + BLOCK * <usize>generation;
  for (;;) {
    const count = atomic.load<i32>(control + JOBS);
    for (let looks = 0; looks < LOOKS && thread < atomic.load<i32>(THREADS); looks++) {
      if (unclaimed(atomic.load<i64>(control + TICKET)) > 0) {
        takeParts(thread);
        looks = 0;
      }
    }
    atomic.add<i32>(control + SLEEPERS, 1);
    atomic.wait<i32>(control + JOBS, count, -1);
    atomic.sub<i32>(control + SLEEPERS, 1);
  }
}

/** The address to which a worker writes the message of its trap: at most 255 bytes and a 0. */
export function messageAt(): usize {
  return MESSAGE;
}

/** After a trap in a worker: counts the part that it held, if any, as finished and as failed. */
export function partFailed(): void {
  if (!busy) return;
  busy = false;
  atomic.add<i32>(control + FAILED, 1);
  finish();
}

// Faults for tests.
const TRAP_IN_WORKER: i32 = 1;
const STOP_IN_WORKER: i32 = 2;
const TRAP_IN_CALLER: i32 = 3;

/**
 * For tests: the next part of a worker traps (1), the next part of a worker never ends (2), or the next part of the
 * caller traps (3).
 */
export function injectFault(kind: i32): void {
  atomic.store<i32>(FAULT, kind);
}

function injectInCaller(): void {
  if (atomic.cmpxchg<i32>(FAULT, TRAP_IN_CALLER, 0) == TRAP_IN_CALLER) unreachable();
  for (let i = 0; i < 1_000_000_000 && atomic.load<i32>(FAULT) > 0; i++) {} // wait until a worker has claimed a part
}

function injectInWorker(): void {
  if (atomic.cmpxchg<i32>(FAULT, TRAP_IN_WORKER, 0) == TRAP_IN_WORKER) unreachable();
  if (atomic.cmpxchg<i32>(FAULT, STOP_IN_WORKER, 0) == STOP_IN_WORKER) for (;;) if (atomic.load<i32>(FAULT) < 0) return;
}
