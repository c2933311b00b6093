#!/usr/bin/env node
// The command `hashgrad`.
import { runProcess } from "./main.ts";

await runProcess();
