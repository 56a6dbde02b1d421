// The simulation's memory: one thread that takes and gives back small pieces all the time, a tenth
// of what a schedule costs with the C library's. Each piece is of one of 64 sizes and comes from a
// block of that size; larger ones, and all of them under a sanitizer, are the C library's.
#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

constexpr std::size_t kStep = 16;
constexpr std::size_t kLargest = 1'024;
constexpr std::size_t kBlock = 64u << 10;
constexpr std::size_t kReserved = 4ull << 30;  // addresses, not memory

struct Piece {
  Piece* next;
};

/// Zero when the process begins, before any constructor.
struct Pool {
  std::byte* begin;
  std::size_t blocks_used;
  std::array<Piece*, kLargest / kStep> free;
  std::array<std::uint8_t, kReserved / kBlock> class_of_block;
};
constinit Pool pool{};

bool is_pooled(const void* piece) {
  const auto at = static_cast<const std::byte*>(piece);
  return pool.begin != nullptr && at >= pool.begin && at < pool.begin + kReserved;
}

/// Null when there is no more.
Piece* cut_block(std::size_t size_class) {
  if (pool.begin == nullptr) {
    void* reserved = ::mmap(nullptr, kReserved, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return nullptr;
    pool.begin = static_cast<std::byte*>(reserved);
  }
  if (pool.blocks_used == pool.class_of_block.size()) return nullptr;
  std::byte* block = pool.begin + pool.blocks_used * kBlock;
  pool.class_of_block[pool.blocks_used++] = static_cast<std::uint8_t>(size_class);
  const std::size_t size = (size_class + 1) * kStep;
  Piece* first = nullptr;
  for (std::size_t at = kBlock / size * size; at >= size; at -= size)
    first = ::new (block + at - size) Piece{first};
  return first;
}

void* take(std::size_t size) {
  if (size == 0) size = 1;
  if (size <= kLargest) {
    const std::size_t size_class = (size - 1) / kStep;
    Piece*& free = pool.free[size_class];
    if (free == nullptr) free = cut_block(size_class);
    if (free != nullptr) {
      Piece* piece = free;
      free = piece->next;
      return piece;
    }
  }
  void* piece = std::malloc(size);
  if (piece == nullptr) std::abort();
  return piece;
}

void give_back(void* piece) {
  if (!is_pooled(piece)) return std::free(piece);
  const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(piece) - pool.begin);
  Piece*& free = pool.free[pool.class_of_block[offset / kBlock]];
  free = ::new (piece) Piece{free};
}

}  // namespace

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void operator delete(void* piece) noexcept { give_back(piece); }
void operator delete[](void* piece) noexcept { give_back(piece); }
void operator delete(void* piece, std::size_t) noexcept { give_back(piece); }
void operator delete[](void* piece, std::size_t) noexcept { give_back(piece); }

#endif
