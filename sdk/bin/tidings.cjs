#!/usr/bin/env node
"use strict";

// The server's own program: whoever depends on `tidings` has it as a command.
require("@tidings/server/bin/tidings.cjs");
