#include "daemon/ops/bundle_chunks.h"

#include <gtest/gtest.h>

#include "core/base64.h"
#include "core/files.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "json_schema.h"

namespace gateway::daemon {
namespace {

using core::Json;

std::string digest_of(const std::string& bytes) {
  return core::to_hex(crypto::as_text(crypto::sha256(crypto::as_octets(bytes))));
}

Json schema() {
  const auto text = core::read_whole_file(
      core::system_files(), GATEWAY_SOURCE_DIR "/docs/mqtt/diagnostics.schema.json", 1U << 16);
  auto json = Json::parse(text.ok() ? *text : "");
  return json.ok() ? std::move(*json) : Json();
}

TEST(BundleChunks, JoinToTheBundleTheyName) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBundleChunkBytes - 1,
                                 kBundleChunkBytes, kBundleChunkBytes + 1, kSentBundleBytesMax}) {
    std::string bundle(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bundle[i] = static_cast<char>(i * 31 + i / 251);
    const auto chunks = bundle_chunks(bundle);
    ASSERT_TRUE(chunks.ok()) << size;
    ASSERT_EQ(chunks->size(),
              std::max<std::size_t>(1, (size + kBundleChunkBytes - 1) / kBundleChunkBytes));
    std::string joined;
    for (std::size_t i = 0; i < chunks->size(); ++i) {
      const Json& chunk = (*chunks)[i];
      ASSERT_EQ(schema_violation(schema(), chunk), "");
      ASSERT_EQ(chunk["chunk"].integer(), static_cast<std::int64_t>(i + 1));
      ASSERT_EQ(chunk["sha256"].text(), digest_of(bundle));
      joined += core::from_base64(chunk["data"].text()).value();
    }
    EXPECT_EQ(joined, bundle);
  }
}

TEST(BundleChunks, AreNotMadeOfWhatIsTooLarge) {
  const auto chunks = bundle_chunks(std::string(kSentBundleBytesMax + 1, 'x'));
  ASSERT_FALSE(chunks.ok());
  EXPECT_EQ(chunks.error().code(), core::Code::refused);
  EXPECT_NE(chunks.error().message().find("clinic-gateway support-bundle"), std::string::npos);
}

}  // namespace
}  // namespace gateway::daemon
