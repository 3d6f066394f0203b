// Who runs next: the ready warps, the flags and copies that others wait for, and the end of a launch.
#include <cfenv>
#include <cstdlib>
#include <deque>
#include <utility>

#include "shim/grid.hpp"

namespace papo::shim {

Thread* current = nullptr;
Group* running_group = nullptr;

namespace {

/// Stacks outlive the launches that use them.
Fiber& pooled_fiber(std::size_t index) {
  static std::deque<Fiber> pool;
  while (pool.size() <= index) pool.emplace_back();
  return pool[index];
}

/// What a thread throws that ends the launch, so that nothing stays behind on its stack.
struct Failure {
  std::string sentence;
};

void run_thread() {
  entered();
  Group& group = *running_group;
  try {
    group.kernel();
    group.check_exit(*current);
  } catch (const Failure& failure) {
    group.set_failure(failure.sentence);
  }
  group.leave();
}

unsigned lowest(std::uint32_t mask) { return static_cast<unsigned>(__builtin_ctz(mask)); }
unsigned highest(std::uint32_t mask) { return 31 - static_cast<unsigned>(__builtin_clz(mask)); }

unsigned pick_lane(const Warp& warp, const Policy& policy) {
  if (policy.lanes_descend) return highest(warp.ready);
  if (!policy.lanes_rotate || warp.rotation == 0) return lowest(warp.ready);
  const unsigned shift = warp.rotation;
  return (lowest((warp.ready >> shift) | (warp.ready << (32 - shift))) + shift) % 32;
}

}  // namespace

Warp* WarpQueue::take(Policy::Pick pick, Random& random) {
  const std::size_t size = ring_.size();
  Warp*& back = ring_[(first_ + count_ - 1) % size];
  if (pick == Policy::Pick::random) {
    std::swap(ring_[(first_ + random.below(static_cast<std::uint32_t>(count_))) % size], back);
  }
  --count_;
  if (pick != Policy::Pick::first) return back;
  Warp* warp = ring_[first_];
  first_ = (first_ + 1) % size;
  return warp;
}

void Group::list(Warp& warp) {
  if (warp.listed || &warp == running_) return;
  warp.listed = true;
  (warp.starved ? starved_ : ready_).push(&warp);
}

void Group::wake(Thread& thread) {
  thread.warp->ready |= 1U << thread.lane;
  list(*thread.warp);
}

void Group::wake_block(Block& block) {
  for (unsigned i = 0; i < block.warp_count; ++i) {
    Warp& warp = block.warps[i];
    warp.ready = warp.all();
    if (current->warp == &warp) warp.ready &= ~(1U << current->lane);
    if (warp.ready != 0) list(warp);
  }
}

void Group::wake_flag_waits() {
  for (std::size_t i = 0; i < flag_waits.size();) {
    if (*flag_waits[i].flag >= flag_waits[i].value) {
      wake(*flag_waits[i].thread);
      flag_waits[i] = flag_waits.back();
      flag_waits.pop_back();
    } else {
      ++i;
    }
  }
}

void Group::find_something_to_do() {
  wake_flag_waits();
  // Threads of the running warp may wake without being listed.
  while (ready_.empty() && starved_.empty() && (running_ == nullptr || running_->ready == 0)) {
    if (transfers.empty()) fail(describe_deadlock(*this));
    land(*this, random.below(static_cast<std::uint32_t>(transfers.size())));
  }
}

Thread& Group::next() {
  if (!transfers.empty() && policy.landing != Policy::Landing::when_all_wait) {
    if (policy.landing == Policy::Landing::at_once || random.below(16) == 0) {
      land(*this, random.below(static_cast<std::uint32_t>(transfers.size())));
    }
  }
  if (running_ != nullptr && running_->ready != 0 && policy.interrupts && random.below(8) == 0) {
    Warp& interrupted = *running_;
    running_ = nullptr;
    list(interrupted);
  }
  if (running_ == nullptr || running_->ready == 0) {
    if (ready_.empty() && starved_.empty()) find_something_to_do();
    if (running_ == nullptr || running_->ready == 0) {
      running_ = (ready_.empty() ? starved_ : ready_).take(policy.pick, random);
      running_->listed = false;
    }
  }
  const unsigned lane = pick_lane(*running_, policy);
  running_->ready &= ~(1U << lane);
  return running_->threads[lane];
}

void Group::check_exit(Thread& thread) {
  const std::string objection = objection_to_exit(thread);
  if (!objection.empty()) fail(objection);
  thread.done = true;
  ++thread.block->exited;
  ++thread.block->cluster->exited;
  if (thread.block->exited == thread.block->thread_count) {
    const std::string complaint = objection_to_end(*this, *thread.block);
    if (!complaint.empty()) fail(complaint);
  }
  ++done_;
}

void Group::leave() {
  Fiber& from = *current->fiber;
  if (failure_.empty() && done_ < threads.size()) {
    try {
      current = &next();
      switch_fibers(from, *current->fiber);
    } catch (const Failure& failure) {
      set_failure(failure.sentence);
    }
  }
  current = nullptr;
  switch_fibers(from, host_);
  std::abort();  // A thread that has left is never continued.
}

std::string Group::run() {
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].fiber = &pooled_fiber(i);
    begin(*threads[i].fiber, run_thread);
  }
  for (Warp& warp : warps) {
    warp.ready = warp.all();
    list(warp);
  }
  // Whatever float environment the caller has, a GPU starts kernels in the default one.
  std::fenv_t caller_environment;
  std::fegetenv(&caller_environment);
  std::fesetenv(FE_DFL_ENV);
  running_group = this;
  current = &next();
  switch_fibers(host_, *current->fiber);
  running_group = nullptr;
  std::fesetenv(&caller_environment);
  return failure_;
}

void wait_here(Wait wait, Where where, const void* object) {
  Thread& thread = *current;
  thread.wait = wait;
  thread.where = where;
  thread.object = object;
  Thread& next = running_group->next();
  if (&next != &thread) {
    current = &next;
    switch_fibers(*thread.fiber, *next.fiber);
  }
  thread.wait = Wait::none;
}

void maybe_interrupt() {
  Group& group = *running_group;
  if (!group.policy.interrupts || group.random.below(4) != 0) return;
  group.wake(*current);
  wait_here(Wait::none, {});
}

void fail(const std::string& sentence) { throw Failure{sentence}; }

}  // namespace papo::shim
