#pragma once

#include "engine/base/api.h"
#include "engine/store/owner.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace stillroom {

/// A file that says "this is mine" on any file system: made exclusively, never locked, with a beat
/// that others watch. Released by the destructor.
///
/// The lease is a row of files, `lease`, `lease.2`, `lease.3` ..., of which the highest counts. To
/// take it is to make the next one, which the file system lets one taker do. Whoever has it
/// removes those below and nothing else, and a released one stays, marked so, until the next is
/// made: numbers never fall while the folder is there, so that nobody who slept meanwhile can take
/// an old number for a new one.
class STILLROOM_API Lease {
public:
    /// Nothing, with `holder` set, while somebody else holds it. A holder whose process is gone
    /// (same host and boot) is replaced at once; any other after `kBeatsToLive` beats without
    /// change, which the caller gives it by asking again. Throws Error (exit 4) where the file
    /// cannot be made.
    static std::optional<Lease> take(const std::filesystem::path& file, Owner& holder);

    /// `fresh`: the caller has made the folder just now, so that nothing was in it. False then
    /// where another was faster.
    static std::optional<Lease> take(const std::filesystem::path& file, Owner& holder, bool& fresh);

    /// Who holds it now, without wanting it. Nothing if nobody does, or if its process is gone; a
    /// holder elsewhere counts as long as its file changed within the last `kBeatsToLive` beats.
    static std::optional<Owner> holder(const std::filesystem::path& file);

    Lease(Lease&&) noexcept;
    Lease& operator=(Lease&&) noexcept;
    ~Lease();

    /// False if another took it over, or its file has gone; then nothing may be published.
    bool still_mine() const;
    void release();  ///< again: nothing
    bool remove();   ///< as release, of a lease whose folder goes next; true: its file is gone

    const Owner& owner() const;

    static constexpr int kBeatSeconds = 2;
    static constexpr int kBeatsToLive = 10;

private:
    struct State;
    class Heart;
    explicit Lease(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace stillroom
