#include "tests/sim/mutants.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/mutant.h"

namespace bellwether::sim {
namespace {

int mutant_on = 0;
uint64_t* times_asked = nullptr;

}  // namespace

const std::vector<Mutant>& Mutants() {
  static const auto* const mutants = new std::vector<Mutant>{
      {1, 300, "a new leader serves reads before an entry of its own term is committed (R1)"},
      {2, 300, "a read round has the id of an earlier one, whose answers confirm it (R2)"},
      {3, 300, "a new leader appends no no-op (R3)"},
      {4, 300, "a leader counts and applies entries that are not durable on it (R7)"},
      {5, 300, "a read needs only what the leader has applied, not what is committed (R8)"},
      {6, 300, "votes, and requests for them, leave before term and vote are durable (R13)"},
      {7, 300, "a follower acknowledges entries before they are durable"},
      {8, 300, "the durable index is not taken back when the log is truncated (R16)"},
      {9, 300, "a server with an empty folder that meets an ensemble votes like any other"},
      {10, 300, "who comes back with a session that is over is given a new one (R32)"},
      {11, 300, "the leader hears nothing of touches at other servers (R33)"},
      {12, 300, "entries of earlier terms are committed by counting (paper figure 8)"},
      {13, 300, "a vote is given to a candidate with a shorter log (paper section 5.4.1)"},
      {14, 300, "a follower commits entries that it was not shown to share with the leader"},
      {15, 300, "an ephemeral whose deletion was rolled back outlives its session"},
      {16, 300, "a write of an older generation of its session takes effect"},
      {17, 300, "the sequence of a session's writes is not checked"},
      {18, 600, "a session that was attached again is expired all the same"},
      {19, 300, "a one-shot watch on children misses the deletion of their parent"},
      {20, 300, "a watch resumes although changes it needs have left the ring"},
      {21, 300, "a read is evaluated before its read index is applied"},
      {22, 300, "a client sends a write again that took effect"},
      {23, 300, "writes sent again after a change of leader come behind later ones"},
      {24, 300, "connections with unanswered writes outlive their leader"},
      {25, 300, "a new leader gives sessions no fresh timeout (R33)"},
      {26, 300, "a keepalive is answered although the leader could not confirm its term"},
      {27, 300, "a leader's window to a follower is never freed (R23)"},
      {28, 300, "a watch's mark of progress overtakes its changes"},
      {29, 300, "what waits for the disk leaves before the disk has written"},
      {30, 300, "time in which the leader stood still counts against sessions"},
      {31, 300, "a damaged log is taken for one that was always empty (R22)"},
      {32, 300, "watches go on over an installed snapshot as if nothing was skipped (R38)"},
      {33, 300, "a watch resumes from before an installed snapshot without what was skipped (R38)"},
      {34, 300, "a snapshot says that it is of an earlier entry than it is (R20)"},
      {35, 300, "the log is cut before the snapshot that covers it is durable (R17)"},
      {36, 900, "connections and one-shot watches go on over an installed snapshot"},
      {37, 10, "one member changes in one step, before the leader has committed anything (R5)",
       Worlds::kCoreDuels},
      {38, 300, "while the membership is joint only the new half decides (thesis section 4.3)",
       Worlds::kCoreMembers},
      {39, 300, "a crash may take the name of a snapshot that the log relies on (R21)"},
      {40, 300, "the memberships are not truncated with the log (R19)", Worlds::kCoreMembers},
      {41, 300, "a membership is changed while another change is under way (R6)",
       Worlds::kCoreMembers},
      {42, 20, "what is forwarded behind something that was lost is appended", Worlds::kReplicas},
      {43, 20, "what was forwarded in an earlier term is appended when the leader leads again",
       Worlds::kReplicas},
      {44, 300, "a joint membership is ended before it is committed (thesis section 4.3)"},
      {45, 300, "commands that waited become one entry that no message holds"},
      {46, 900, "a leader that hands over ends sessions, in the term of the next one"},
      {47, 300, "the sums of the log's entries are not compared"},
      {48, 300, "a log that has lost its newest term and vote is taken for good"},
      {49, 300, "data is changed whatever the ACL says"},
      {50, 300, "a write is done for who the client is by its turn, not for who asked"},
      {51, 300, "an event is told to who may not read the znode"},
      {52, 300, "a one-shot watch stays when it has fired"},
      {53, 300, "the change right behind a connection's first watch is not told"},
      {54, 300, "a reply overtakes the event before it"},
      {55, 300, "watches set again miss what changed while they were away"},
      {56, 300, "whether a znode has expired is not looked at again when it is deleted"},
      {57, 300, "a TTL counts from the creation, not from the last change"},
      {58, 300, "a container is deleted before it ever had a child"},
      {59, 300, "what a failed transaction added to a quota's usage stays there"},
      {60, 300, "a server without contact goes on serving clients of ZooKeeper's"},
      {61, 300, "data that a failed transaction changed stays changed"},
      {62, 300, "a connection goes on when its session has moved to another server"},
      {63, 300, "a sync of ZooKeeper's is no barrier"},
      {64, 300, "a sequence number is given again when a child was deleted"},
      {65, 300, "a recursive watch misses what happens below the children"},
      {66, 300, "a read is served whatever the ACL says"},
      {67, 300, "a watch of the native protocol tells of what its client may not read"},
      {68, 300, "a write that is sent again is done again"},
      {69, 300, "the results kept for a session are not in its snapshot"},
      {70, 300, "a write that is sent again gets the result of the one before it"},
      {71, 300, "results are kept that their client has got"},
      {72, 300, "a result is dropped when its client has got the one before it"},
      {73, 300, "whoever stands in line is told that it holds the lock, whoever is before it"},
      {74, 300, "who holds a lock is told so again when another one leaves the line"},
      {75, 300, "of the places that one command takes away only one leaves the line"},
      {76, 300, "a read-only connection goes on when there is a leader again"},
      {77, 300, "a zxid is raised to a lower one"},
      {78, 300, "the ensemble's configuration stays what it was first"},
      {79, 300, "the further pages of a list are of the newest state"},
      {80, 300, "who joins as an observer gets a vote"},
      {81, 300, "whoever asks is told that it holds the lock, whoever is before it (R41)"},
      {82, 300, "a reconfiguration is answered before /zookeeper/config says so"},
      {83, 300, "the version that a reconfiguration names is not compared"},
  };
  return *mutants;
}

const volatile uint64_t& TurnOn(int number) {
  CHECK(times_asked == nullptr);
  void* const shared = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  times_asked = static_cast<uint64_t*>(shared);
  mutant_on = number;
  return *times_asked;
}

}  // namespace bellwether::sim

namespace bellwether::base {

bool MutantIsOn(int number) {
  if (number != sim::mutant_on) return false;
  ++*sim::times_asked;
  return true;
}

}  // namespace bellwether::base
