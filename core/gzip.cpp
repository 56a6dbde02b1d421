#include "core/gzip.h"

#include <zlib.h>

#include "core/text.h"

namespace gateway::core {
namespace {

constexpr int kGzipWindow = 15 + 16;
constexpr int kBareWindow = -15;
constexpr std::size_t kStep = 64 * 1024;

Bytef* bytes_of(const char* data) {
  // zlib does not write there; its interface is older than const.
  return reinterpret_cast<Bytef*>(const_cast<char*>(data));
}

Result<std::string> unpack(std::string_view bytes, std::size_t size_max, int window) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return Error(Code::internal, "zlib: no memory");
  stream.next_in = bytes_of(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int code = Z_OK;
  while (code == Z_OK && out.size() <= size_max) {
    const std::size_t before = out.size();
    out.resize(before + kStep);
    stream.next_out = bytes_of(out.data() + before);
    stream.avail_out = static_cast<uInt>(kStep);
    code = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(before + kStep - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > size_max)
    return Error(Code::refused, cat("it unpacks to more than ", size_max, " bytes"));
  if (code != Z_STREAM_END) return Error(Code::invalid, "it is not packed as a whole");
  return out;
}

}  // namespace

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = bytes_of(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = bytes_of(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(code == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

Result<std::string> gunzip(std::string_view bytes, std::size_t size_max) {
  return unpack(bytes, size_max, kGzipWindow);
}

Result<std::string> inflate(std::string_view bytes, std::size_t size_max) {
  return unpack(bytes, size_max, kBareWindow);
}

}  // namespace gateway::core
