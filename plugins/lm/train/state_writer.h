#pragma once

#include "engine/base/api.h"
#include "plugins/lm/train/state_folder.h"
#include "plugins/lm/weights/tensor_writer.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>

namespace stillroom::lm {

/// What one writer has to write of a state: whole tensors, under Hugging Face's names; NAME.master,
/// NAME.exp_avg and NAME.exp_avg_sq in the optimizer's. Each tensor is some part's, once.
struct StateShare {
    std::vector<NewTensor> model, optimizer;
    std::shared_ptr<const void> keeps = {};  ///< what those are made of; let go when written
};

struct StatePlace {
    std::filesystem::path work;
    int part = 0, parts = 1;   ///< writers that share a folder; one for each stage of a pipeline
    std::string attempt = {};  ///< the same for all parts, another at each start; one part: drawn
    std::int64_t resumed = 0;  ///< step of the state that was found
    std::int64_t keep = 5;     ///< states, at least one; -1: all
    std::string stage = {};
    std::map<std::string, std::int64_t> layout = {};
    std::map<std::string, std::string> texts = {};  ///< small files: config.json
    std::vector<std::filesystem::path> files = {};  ///< copied: the tokenizer's
    double patience = 600;                          ///< seconds that part 0 waits for the others
};

/// Writes states while the training goes on, one at a time. Part 0 puts the parts together, gives
/// the folder its name, and only then removes older ones.
///
///     StateWriter writer({.work = context.work(), ...});
///     writer.write(snapshot(), point);   // after a step
///     writer.wait();                     // at the end, and before a stop
///     context.saved();
class STILLROOM_API StateWriter {
public:
    /// Part 0 removes what a writer that was killed left half done.
    explicit StateWriter(StatePlace place);

    /// Ends what is being written as far as it needs no other part. Errors are lost: wait() first.
    ~StateWriter();
    StateWriter(const StateWriter&) = delete;
    StateWriter& operator=(const StateWriter&) = delete;

    /// Waits for the write before, throws its Error (exit 4 for the disk), and begins the next.
    /// Called by all parts for the same steps; a second time for one step it does nothing.
    void write(StateShare share, const TrainingPoint& point);

    bool busy() const;
    void wait();  ///< throws likewise

    /// Step of the last state that is on the disk; of other parts than 0, of their share in it.
    std::int64_t newest() const { return newest_; }

private:
    void save(const StateShare& share, const TrainingPoint& point);
    std::vector<FileRecord> write_share(const StateShare& share, const std::string& step);
    std::vector<FileRecord> take_part(const std::filesystem::path& file, int part);
    void publish(std::vector<FileRecord> files, const TrainingPoint& point);
    void write_small_files(std::vector<FileRecord>& files, const TrainingPoint& point);
    void remove_older(std::int64_t newest);
    void remove_state(const std::string& name);
    void sweep();
    std::filesystem::path passing(const std::string& step) const;

    StatePlace place_;
    std::filesystem::path folder_;  // checkpoints
    std::atomic<std::int64_t> newest_;
    std::int64_t asked_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::future<void> writing_;
};

}  // namespace stillroom::lm
