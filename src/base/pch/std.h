// Compiled once for each layer, as most of its sources need this. Each source still includes what
// it uses: a build with -Db_pch=false would not find it otherwise.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
