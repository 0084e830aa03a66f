#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace stillroom::lm {

/// Where ranks leave signs for one another; both throw when nobody answers there.
struct Board {
    std::function<void(const std::string& key, const std::string& text)> put;
    std::function<std::string(const std::string& key)> get;  ///< empty: nothing is there
};

/// Tells a rank that is gone from one that is late. Each rank changes its sign twice a second, from
/// a thread of its own, and names in it what it does; a sign that stays the same is a dead rank's,
/// or a stopped one's.
class VitalSigns {
public:
    VitalSigns(int rank, Board board);
    ~VitalSigns();

    /// What this rank begins.
    void begin(std::string_view what);

    /// Of `members`, those that give no sign; then those that do something else than `what`. Takes
    /// a second, three where one is silent. A sentence: "rank 1 on node02 is gone".
    std::string missing(const std::vector<int>& members, std::string_view what) const;

private:
    void beat();

    int rank_;
    Board board_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::string doing_ = "start";
    std::thread thread_;
};

}  // namespace stillroom::lm
