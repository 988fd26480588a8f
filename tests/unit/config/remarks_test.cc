// What is allowed, and may be a mistake.
#include "config/remarks.h"

#include "support.h"

namespace sluice::config {
namespace {

std::string broker(const std::string& name, const std::string& min, const std::string& max,
                   const std::string& url = {}) {
  return "[[broker]]\nname = \"" + name + "\"\nurl = \"mqtt://" + (url.empty() ? name : url) +
         "\"\nmin_dev_no = " + min + "\nmax_dev_no = " + max + "\n";
}

/// One line for each.
std::string remarks(const std::string& text) {
  const Loaded loaded = parse_text(text);
  CHECK(loaded.faults.empty());
  CHECK(loaded.warnings.empty());
  std::string lines;
  for (const Fault& remark : loaded.remarks)
    lines += remark.warning() + "\n";
  return lines;
}

}  // namespace

TEST_CASE("ranges side by side are nothing to remark, in any order") {
  CHECK(remarks(broker("a", "0", "1000") + broker("b", "999", "2000")).empty());
  CHECK(remarks(broker("b", "999", "2000") + broker("a", "0", "1000")).empty());
  CHECK(remarks(broker("a", "-9223372036854775808", "9223372036854775807")).empty());
}

TEST_CASE("devices between two ranges are named, be it one") {
  CHECK(remarks(broker("a", "0", "1000") + broker("b", "1000", "2000")) ==
        "f:9:14: warning: broker[b].min_dev_no: device 1000 between broker[a] and this one reaches "
        "no broker; both bounds of a range are exclusive\n");
  CHECK(remarks(broker("b", "5000", "6000") + broker("a", "0", "1000")) ==
        "f:4:14: warning: broker[b].min_dev_no: devices 1000 to 5000 between broker[a] and this "
        "one reach no broker; both bounds of a range are exclusive\n");
}

TEST_CASE("ranges that overlap are named with the devices of both") {
  CHECK(remarks(broker("a", "0", "1000") + broker("b", "998", "2000")) ==
        "f:9:14: warning: broker[b].min_dev_no: the range overlaps that of broker[a]: device 999 "
        "reaches both\n");
  CHECK(remarks(broker("a", "0", "1000") + broker("b", "10", "20")) ==
        "f:9:14: warning: broker[b].min_dev_no: the range overlaps that of broker[a]: devices 11 "
        "to 19 reach both\n");
}

TEST_CASE("a range within another one hides no gap and makes none") {
  CHECK(remarks(broker("a", "0", "1000") + broker("b", "10", "20") + broker("c", "999", "2000")) ==
        "f:9:14: warning: broker[b].min_dev_no: the range overlaps that of broker[a]: devices 11 "
        "to 19 reach both\n");
}

TEST_CASE("brokers at one url are named, however it is written") {
  CHECK(remarks(broker("a", "0", "10", "h") + broker("b", "9", "20", "H:1883")) ==
        "f:8:7: warning: broker[b].url: the same as that of broker[a]\n");
  CHECK(remarks(broker("a", "0", "10", "h:1") + broker("b", "9", "20", "h:2")).empty());
}

TEST_CASE("a thousand brokers with one range are one remark each") {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += broker("b" + std::to_string(i), "0", "10");
  CHECK(parse_text(text).remarks.size() == 999);
}

}  // namespace sluice::config
