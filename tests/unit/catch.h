// Catch2 2.13 (Debian 12) and Catch2 3 name their header differently; the tests build with both.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
