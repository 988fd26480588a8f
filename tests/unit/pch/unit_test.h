// Compiled once for each test program.
#include "../../../src/base/pch/std.h"
#include "../catch.h"
