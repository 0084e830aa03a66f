// Each thread takes the next block, encodes it, and puts it where the writer will look for it; the
// one that puts the block that is due writes it, and those that wait behind it. So nobody waits for
// a block that is slow but the writer, and what is in memory is bounded by how far the reader may
// run ahead of it.

#include "plugins/data/tokenize_files.h"

#include "engine/base/error.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace stillroom::data {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLook = std::chrono::milliseconds(100);

class Work {
public:
    Work(const lm::Tokenizer& tokenizer,
         const EncodeRules& rules,
         const std::vector<lm::TextFile>& files,
         unsigned threads,
         DocumentWriter& writer,
         const TokenizeWatch& watch)
        : tokenizer_(tokenizer),
          rules_(rules),
          most_ahead_(2 * std::uint64_t{threads} + 2),
          watch_(watch),
          blocks_(files, rules.keys, writer.place()),
          writer_(writer),
          saved_(Clock::now()) {}

    bool run(unsigned threads) {
        std::vector<std::thread> workers;
        try {
            while (workers.size() < threads)
                workers.emplace_back([this] { work(); });
        } catch (const std::system_error&) {
            if (workers.empty())
                throw Error({}, "no thread can be started").exit_code(kExitResource);
        }
        follow(workers.size());
        for (std::thread& worker : workers)
            worker.join();
        if (failure_)
            std::rethrow_exception(failure_);
        if (cancelled_)
            writer_.save();
        return !cancelled_;
    }

private:
    void follow(std::size_t threads) {
        std::unique_lock lock(mutex_);
        while (ended_ < threads) {
            changed_.wait_for(lock, kLook);
            lock.unlock();
            bool cancelled = false;
            std::exception_ptr failure;
            try {
                watch_.look();
                cancelled = watch_.cancelled();
            } catch (...) {
                failure = std::current_exception();  // the threads must end first
            }
            lock.lock();
            if (failure) {
                failure_ = failure;
                stop();
            }
            if (cancelled && !stop_) {
                cancelled_ = true;
                stop();
            }
        }
    }

    /// Whoever calls it holds the lock.
    void stop() {
        stop_ = true;
        changed_.notify_all();
    }

    void work() {
        BlockEncoder encoder(tokenizer_, rules_);
        TextBlock block;
        std::uint64_t number = 0;
        std::exception_ptr failure;
        while (take(block, number, failure)) {
            EncodedBlock encoded;
            try {
                if (!failure)
                    encoded = encoder.encode(block, blocks_.files()[block.file].kind);
            } catch (...) {
                failure = std::current_exception();
            }
            encoded.failure = failure;
            put(number, std::move(encoded));
        }
        std::lock_guard lock(mutex_);
        ++ended_;
        changed_.notify_all();
    }

    /// The next block and its place among all. False when there is nothing left to do.
    bool take(TextBlock& block, std::uint64_t& number, std::exception_ptr& failure) {
        std::lock_guard one_reads(reading_);
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stop_ || read_ < written_ + most_ahead_; });
            if (stop_ || read_all_)
                return false;
        }
        bool found = true;
        try {
            found = blocks_.next(block);
        } catch (...) {
            failure = std::current_exception();  // told when the blocks before it are written
        }
        std::lock_guard lock(mutex_);
        read_all_ = !found || failure;
        number = read_;
        read_ += found;
        return found;
    }

    void put(std::uint64_t number, EncodedBlock encoded) {
        std::unique_lock lock(mutex_);
        waiting_.emplace(number, std::move(encoded));
        if (std::exchange(writing_, true))
            return;  // whoever writes will come to it
        while (!stop_ && !waiting_.empty() && waiting_.begin()->first == written_) {
            EncodedBlock due = std::move(waiting_.begin()->second);
            waiting_.erase(waiting_.begin());
            lock.unlock();
            std::exception_ptr failure;
            bool enough = false;
            try {
                enough = !writer_.add(due);
                save_if_due();
            } catch (...) {
                failure = std::current_exception();
            }
            lock.lock();
            ++written_;
            if (failure && !cancelled_)
                failure_ = failure;
            if (failure || enough)
                stop();
            changed_.notify_all();
        }
        writing_ = false;
    }

    void save_if_due() {
        if (std::chrono::duration<double>(Clock::now() - saved_).count() < watch_.save_every)
            return;
        writer_.save();
        saved_ = Clock::now();
    }

    const lm::Tokenizer& tokenizer_;
    const EncodeRules& rules_;
    const std::uint64_t most_ahead_;  // blocks, of the reader before the writer
    const TokenizeWatch& watch_;

    std::mutex reading_;  // guards blocks_
    TextBlocks blocks_;

    std::mutex mutex_;  // guards what follows; the writer is of whoever set writing_
    std::condition_variable changed_;
    DocumentWriter& writer_;
    Clock::time_point saved_;
    std::map<std::uint64_t, EncodedBlock> waiting_;
    std::uint64_t read_ = 0, written_ = 0;  // blocks
    std::size_t ended_ = 0;                 // threads
    bool read_all_ = false;
    bool writing_ = false;
    bool stop_ = false;
    bool cancelled_ = false;
    std::exception_ptr failure_;
};

}  // namespace

bool tokenize_files(const lm::Tokenizer& tokenizer,
                    const EncodeRules& rules,
                    const std::vector<lm::TextFile>& files,
                    unsigned threads,
                    DocumentWriter& writer,
                    const TokenizeWatch& watch) {
    return Work(tokenizer, rules, files, threads, writer, watch).run(threads);
}

}  // namespace stillroom::data
