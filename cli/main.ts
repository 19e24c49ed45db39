#!/usr/bin/env node
import { runCli } from './run-cli.js';

/** No `process.exit()`: what is still being written would be cut off. */
process.exitCode = await runCli(process.argv.slice(2));
