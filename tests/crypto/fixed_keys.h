// A keyring with a known root key and real epoch files: the same in every process, and opened
// without Argon2id's half second.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "crypto/epoch_files.h"
#include "crypto/keyring.h"

namespace gateway::crypto {

class FixedKeys final : public Keyring {
 public:
  static core::Result<std::unique_ptr<Keyring>> open(core::Files& files, const std::string& folder,
                                                     const core::Clock& clock) {
    GW_TRY(Secret wrapping, derive_key(fixed_root(), "epoch-wrap"));
    GW_TRY(EpochFiles epochs, EpochFiles::open(files, folder, std::move(wrapping)));
    return std::unique_ptr<Keyring>(new FixedKeys(std::move(epochs), clock));
  }

  std::vector<SlotInfo> slots() const override { return {}; }
  SlotInfo opened_by() const override { return {}; }
  std::string protection() const override { return "passphrase"; }
  core::Result<SlotInfo> add_slot(const NewSlot&) override { return has_no_slots(); }
  core::Status remove_slot(const std::string&) override { return has_no_slots(); }
  core::Result<SlotInfo> prove(const SlotOpener&) override { return has_no_slots(); }
  core::Result<Secret> derived_key(std::string_view purpose) const override {
    return derive_key(fixed_root(), purpose);
  }
  core::Result<Secret> derived_key_of(std::uint32_t, std::string_view purpose) const override {
    return derived_key(purpose);
  }
  RootState root() const override { return {}; }
  core::Result<std::string> box() const override { return std::string("box"); }
  core::Status begin_root(const std::set<std::uint32_t>&) override { return has_no_slots(); }
  core::Status end_root() override { return has_no_slots(); }
  core::Result<std::uint32_t> current_epoch() override { return epochs_.current(clock_.wall()); }
  core::Result<Secret> epoch_key(std::uint32_t epoch) const override { return epochs_.key(epoch); }
  core::Result<std::vector<std::uint32_t>> epochs() const override { return epochs_.list(); }
  core::Result<std::uint32_t> begin_epoch() override {
    GW_CHECK(epochs_.make(std::max(epoch_of(clock_.wall()), epoch_after(epochs_.newest()))));
    return epochs_.newest();
  }
  core::Status remember_epochs() override { return epochs_.remember(); }
  std::vector<std::uint32_t> lost_epochs() const override { return epochs_.lost(); }
  core::Status retire_epoch(std::uint32_t epoch) override { return epochs_.destroy(epoch); }

 private:
  FixedKeys(EpochFiles epochs, const core::Clock& clock)
      : epochs_(std::move(epochs)), clock_(clock) {}
  static core::Error has_no_slots() { return {core::Code::not_found, "no slots here"}; }
  static Secret fixed_root() { return Secret::copy_of(std::string(kKeyBytes, 'r')); }

  mutable EpochFiles epochs_;
  const core::Clock& clock_;
};

}  // namespace gateway::crypto
