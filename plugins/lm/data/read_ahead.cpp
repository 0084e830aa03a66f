#include "plugins/lm/data/read_ahead.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kMostPieces = 4;

class ReadAhead final : public ByteStream {
public:
    explicit ReadAhead(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {
        reader_ = std::thread([this] { fill(); });
    }
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;
    ~ReadAhead() override {
        {
            std::lock_guard lock(mutex_);
            unwanted_ = true;
        }
        changed_.notify_all();
        reader_.join();
    }

    std::size_t read(std::span<char> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            if (at_ == piece_.size() && !next_piece())
                break;
            std::size_t count = std::min(into.size() - done, piece_.size() - at_);
            std::copy_n(piece_.data() + at_, count, into.data() + done);
            at_ += count;
            done += count;
        }
        return done;
    }

    std::uint64_t taken() const override { return stream_->taken(); }

private:
    bool next_piece() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !pieces_.empty() || ended_; });
        if (pieces_.empty()) {
            if (failure_)
                std::rethrow_exception(failure_);
            return false;
        }
        piece_ = std::move(pieces_.front());
        pieces_.pop_front();
        at_ = 0;
        lock.unlock();
        changed_.notify_all();
        return true;
    }

    void fill() {
        std::exception_ptr failure;
        try {
            while (put(read_piece()))
                continue;
        } catch (...) {
            failure = std::current_exception();
        }
        std::lock_guard lock(mutex_);
        failure_ = failure;
        ended_ = true;
        changed_.notify_all();
    }

    std::vector<char> read_piece() {
        std::vector<char> piece(kPiece);
        piece.resize(stream_->read(piece));
        return piece;
    }

    bool put(std::vector<char> piece) {
        if (piece.empty())
            return false;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return pieces_.size() < kMostPieces || unwanted_; });
        pieces_.push_back(std::move(piece));
        bool goes_on = !unwanted_;
        lock.unlock();
        changed_.notify_all();
        return goes_on;
    }

    std::unique_ptr<ByteStream> stream_;
    std::vector<char> piece_;  // that is being taken
    std::size_t at_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::vector<char>> pieces_;
    std::exception_ptr failure_;
    bool ended_ = false;
    bool unwanted_ = false;
    std::thread reader_;
};

}  // namespace

std::unique_ptr<ByteStream> read_ahead(std::unique_ptr<ByteStream> stream) {
    return std::make_unique<ReadAhead>(std::move(stream));
}

}  // namespace stillroom::lm
