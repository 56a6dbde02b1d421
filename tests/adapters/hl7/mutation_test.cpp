// Bytes nobody should send: messages mutated at random, by a fixed seed, through framer, character
// set, tree and maps. Nothing may crash (the sanitizer builds run it too), and whatever comes out
// is JSON that can be written and read again.
#include <gtest/gtest.h>

#include <random>

#include "adapters/hl7/message_reader.h"
#include "adapters/hl7/mllp_framer.h"
#include "core/json.h"

namespace gateway::adapters::hl7 {
namespace {

constexpr int kRounds = 4'000;

// Parts of one message, not a comma that is missing. NOLINTBEGIN(bugprone-suspicious-missing-comma)
const std::string_view kSeeds[] = {
    "MSH|^~\\&|A|B|C|D|20260301101500+0100||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||P1^^^&1.2.3&ISO^MR~"
    "P2||"
    "Roe^Jane||19800102|F\rORC|RE|PL1|FI1\rOBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\r"
    "NTE|1||note\rOBX|1|SN|2345-7^Glucose^LN||<^5.0|mg/dL|70-110|N|||F|||20190929092149610\r"
    "OBX|2|ED|PDF^Report^L||^application^pdf^Base64^JVBERi0=||||||F\rSPM|1|S1^F1|SER^Serum^L\r",
    "MSH|^~\\&|A|B|C|D|20260301||ADT^A08|2|P|2.3||||||8859/"
    "1\rEVN|A08|2026\rPID|1||P1||M\xfcller^\"\"\r"
    "PV1|1|I|W^R^B|||||||||||||||V1^^^VN|||||||||||||||||||||||||20260301\rNK1|1|X^Y|SPO\r",
    "MSH|^~\\&|A|B|C|D|20260301||SIU^S12|3|P|2.5\rSCH|1|2|||||R|T|30|min|^^^20260301100000\r"
    "PID|1||P1\rAIS|1|A|S^S^L|20260301100000|||30|min\rAIP|1||D^Doc\r",
    "MSH|^~\\&|A|B|C|D|20260301||VXU^V04|4|P|2.5\rPID|1||P1\rORC|RE||F1\r"
    "RXA|0|1|20260301||49281^V^NDC|0.5|mL^^UCUM||||||||L1|20270101|M^Maker\rRXR|IM\r",
    "MSH|^~\\&|A|B|C|D|20260301||MDM^T02|5|P|2.5\rPID|1||P1\rTXA|1|DI|TX|20260301||||||||1.2.3\r"
    "OBX|1|TX|a||text\\.br\\more\\X41\\\r",
    "MSH|^~\\&|A|B|C|D|20260301||OUL^R22|6|P|2.5\rPID|1||P1\rSPM|1|S&N&1.2&ISO^F\rOBX|1|NM|a||1\r"
    "OBR|1||F|T^T^L\rOBX|1|CE|b||X^Y^L\rNTE|1||n\r",
    "MSH|^~\\&|A|B|C|D|20260301||QBP^Q11^QBP_Q11|7|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-27^IHE\r"
    "QPD|WOS^Work Order Step^IHE_LABTF|q7|T1&N^X|R5|3\rRCP|I||R^^HL70394\r"};
// NOLINTEND(bugprone-suspicious-missing-comma)

std::string mutated(std::string text, std::mt19937& random) {
  constexpr std::string_view kInserts = "|^~\\&\r\n\x0b\x1c\x00\"-+.0ZX\xff";
  const auto below = [&](std::size_t end) { return end == 0 ? 0 : random() % end; };
  for (std::size_t times = 1 + below(6); times > 0; --times) {
    const std::size_t at = below(text.size());
    switch (random() % 4) {
      case 0:
        text.erase(at, 1 + below(20));
        break;
      case 1:
        text.insert(at, 1 + below(5), kInserts[below(kInserts.size())]);
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), below(80)));
        break;
      default:
        if (!text.empty()) text[at] = static_cast<char>(random());
    }
  }
  return text;
}

TEST(Hl7Mutations, NothingCrashesAndEveryDraftIsJson) {
  std::mt19937 random(5);
  DeviceProfile device;
  device.name = "lab";
  device.patient_id_issuer = "urn:oid:1.2.3";
  for (int round = 0; round < kRounds; ++round) {
    const std::string sent =
        mllp_frame(mutated(std::string(kSeeds[random() % std::size(kSeeds)]), random));
    const auto framer = make_mllp_framer(1U << 20);
    std::vector<frame::FrameEvent> events;
    framer->feed(sent, core::Monotonic(), events);
    for (frame::FrameEvent& event : events) {
      for (std::string& bytes : cut_frame(std::move(event.bytes))) {
        const Read read = read_message(std::move(bytes), device, "test", core::system_clock());
        if (read.query) answer_work_query(*read.message, {}, core::system_clock());
        for (const sync::Draft& draft : read.incoming->drafts)
          ASSERT_TRUE(core::Json::parse(draft.body.dump()).ok())
              << "round " << round << ": " << draft.body.dump();
      }
    }
  }
}

}  // namespace
}  // namespace gateway::adapters::hl7
