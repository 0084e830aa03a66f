#pragma once

#include "engine/base/api.h"
#include "engine/run/record_writer.h"

#include <filesystem>
#include <functional>
#include <string>

namespace stillroom {

/// What ties a worker to its engine. Where the engine is the parent process the kernel tells when
/// it dies, and the worker goes with all its children; everywhere the worker watches a file that
/// the engine changes with every beat.

/// Asks the kernel for that sign. Call first of all, with one thread. Throws Error (exit 7) if
/// `parent` is gone already.
STILLROOM_API void die_with_parent(long parent);

/// SIGTERM, SIGINT, SIGUSR1 and SIGHUP (unless it came ignored) set a flag; SIGPIPE and SIGXFSZ are
/// ignored, the failing write says so.
STILLROOM_API void note_stop_signals();
STILLROOM_API bool stop_signalled();

/// Kills this process's children with it, where it leads its own process group.
STILLROOM_API void end_process_group();

/// The worker's beats while it does a stage: a sign of life for the engine, and a look whether the
/// engine lives. They come from one thread, which stays for the next stage. One at a time.
class STILLROOM_API Pulse {
public:
    static constexpr int kBeatsToLive = 10;

    /// `alive` may be empty: nothing is watched. After kBeatsToLive beats without a change of it
    /// `engine_lost` is called, on the thread of beats.
    Pulse(RecordWriter& records,
          std::filesystem::path alive,
          double seconds,
          std::function<void()> engine_lost);
    Pulse(const Pulse&) = delete;
    Pulse& operator=(const Pulse&) = delete;
    ~Pulse();

    void stop();  ///< no beat any more: none is being written when it returns

    static int threads();  ///< that beat in this process: 1 once there was a pulse

private:
    class Heart;

    void beat();

    RecordWriter& records_;
    std::filesystem::path alive_;
    double seconds_;
    std::function<void()> engine_lost_;
    std::string seen_;
    int unchanged_ = 0;
};

}  // namespace stillroom
