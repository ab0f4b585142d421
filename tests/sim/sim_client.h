#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "client/coord_client.h"
#include "client/recipes/lock.h"
#include "tests/sim/options.h"
#include "tests/sim/program.h"

namespace bellwether::sim {

// A program that uses coord by its own protocol: one CoordClient, requests of all kinds on few
// paths, watches.
class SimClient : public Program {
 public:
  // `slot`: the machine it runs on.
  SimClient(uint32_t slot, uint64_t serial, const Options& options, Dependencies deps);
  ~SimClient() override;

  void Pause() override { executor_.Pause(); }
  void Resume() override { executor_.Resume(); }
  // Watches are read from now on.
  void Finish() override;
  bool finished() const override { return last_answered_ && lock_ == nullptr; }
  bool WatchesReached(Zxid zxid) const override;

  uint64_t serial() const override { return serial_; }
  bool over() const override { return over_; }
  size_t writes_outstanding() const override { return writes_outstanding_; }
  uint32_t server() const override;
  absl::Duration session_deadline() const override { return client_.SessionDeadline(); }
  std::string State() const override;

 private:
  Zxid Newest() const { return deps_.newest_zxid(); }
  void Think();
  void IssueOne();
  void Create();
  void Set(std::string path);
  void Delete();
  void Transact();
  void Import();
  void RaiseZxid();
  void StandInLine();
  void AwaitGrant(std::string path);
  void Lock();
  void OnLocked(client::Zxid token);
  void Unlock();
  void LeaveLine(const std::string& path);
  // It is held no longer, by whatever this client can know.
  void OnUnlocked();
  void Read();
  void Close();
  std::vector<std::string> AnyRoots();
  void OpenWatch(std::vector<std::string> paths, bool recursive, client::Zxid from_zxid);
  void ChangeWatches();
  void IssueLast();

  std::string AnyPath();
  client::Data NewTag(Operation& operation);
  int32_t GuessVersion();
  Operation& NewOperation(Operation::Kind kind, std::string path);
  client::OneShotWatch MaybeOneShot(Operation& operation, bool children);
  void ArmOneShot(const Operation& operation);
  // The callback that writes the answer down.
  template <typename Result>
  client::Callback<Result> Answer(Operation& operation);
  void OnAnswer(Operation& operation, const absl::Status& status);
  void OnShown(Zxid zxid);
  coord::tree::SessionId Session() const;
  SessionRecord* FindSession();
  void NoteSession();
  void OnState(client::SessionState state);

  const uint32_t slot_;
  const uint64_t serial_;
  const Options& options_;
  Dependencies deps_;
  base::Random random_;
  // Nothing of its own stands in the way of its reads, so that they show what a server believes.
  const bool only_reads_;
  const size_t outstanding_max_;
  SimExecutor executor_;
  SimClock clock_;
  SimConnector connector_;
  client::CoordClient client_;

  struct OpenedWatch {
    std::unique_ptr<client::CoordWatch> watch;
    std::vector<std::string> paths;
    bool recursive = false;
    bool paused = false;
  };
  std::vector<OpenedWatch> watches_;
  std::unique_ptr<client::Lock> lock_;  // null: it does not want it
  LockRecord* locking_ = nullptr;       // of lock_; null: it was held
  std::vector<Operation*> pending_;           // not yet answered
  std::map<const Operation*, OneShotRecord*> asked_;  // with a read not yet answered
  std::vector<OneShotRecord*> armed_;         // set and not yet fired
  std::vector<GrantRecord*> in_line_;         // answered and not yet gone
  std::vector<std::string> sequential_paths_;  // created ones, some
  coord::tree::SessionId first_session_;        // the only one that it may ever have
  int32_t last_version_ = 0;                  // of whatever was seen last
  uint64_t last_number_ = 0;
  uint64_t answers_ = 0;
  size_t writes_outstanding_ = 0;
  bool over_ = false;
  bool finishing_ = false;
  bool last_answered_ = false;
};

}  // namespace bellwether::sim
