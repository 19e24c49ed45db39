import fc from 'fast-check';

// A property is tried ten thousand times in a test run; with each of a thousand mutants that would take a day. Always the same
// values, so that a mutant does not survive one run and die in the next.
fc.configureGlobal({ interruptAfterTimeLimit: 300, seed: 1 });

// Code with mutants in it is slower: a limit of time would kill those that change nothing.
process.cpuUsage = () => ({ user: 0, system: 0 });
