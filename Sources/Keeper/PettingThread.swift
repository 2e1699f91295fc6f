import CLinux
import Glibc
import Synchronization

/// The thread that pets the watchdog: real-time, without allocation, without a disk, and with one
/// word shared with the rest of the program.
public final class PettingThread: Sendable {
  private let limit = Atomic(Petting.unlimited)
  /// -1 without a device.
  private let descriptor = Atomic<Int32>(-1)
  private let petNanoseconds = Atomic<UInt64>(1_000_000_000)
  private let timeoutNanoseconds = Atomic<UInt64>(6_000_000_000)
  private let failedPets = Atomic<Int32>(0)
  private let realTimeFailure = Atomic<Int32>(0)
  /// Resets the machine; another action only in tests.
  private let reset: @Sendable (Petting.Reason) -> Void
  private let isStopped = Atomic(false)

  public init(reset: @escaping @Sendable (Petting.Reason) -> Void) { self.reset = reset }

  public func setLimit(_ moment: UInt64) { limit.store(moment, ordering: .releasing) }

  /// Without a device (`-1`) the limits count all the same: the reset is then this program's alone.
  public func setDevice(_ watchdog: Int32, petMilliseconds: UInt32, timeoutMilliseconds: UInt32) {
    petNanoseconds.store(UInt64(petMilliseconds) * 1_000_000, ordering: .releasing)
    timeoutNanoseconds.store(UInt64(timeoutMilliseconds) * 1_000_000, ordering: .releasing)
    descriptor.store(watchdog, ordering: .releasing)
  }

  /// The device is about to be closed; nothing uses it from now on.
  public func removeDevice() { descriptor.store(-1, ordering: .releasing) }

  public func stop() { isStopped.store(true, ordering: .releasing) }

  /// errno of the last pet that failed, 0 if none did since the last call.
  public func takeFailure() -> Int32 { failedPets.exchange(0, ordering: .acquiringAndReleasing) }

  /// errno when the thread did not get its real-time priority, told once; 0 if it did, or has not asked
  /// yet.
  public func takeRealTimeFailure() -> Int32 {
    realTimeFailure.exchange(0, ordering: .acquiringAndReleasing)
  }

  /// False when no thread can be made. Real-time priority is asked for and not insisted on.
  public func start() -> Bool {
    let box = Unmanaged.passRetained(
      Body { [self] in
        if clinux_become_real_time() != 0 { realTimeFailure.store(errno, ordering: .releasing) }
        run()
      })
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    if code != 0 { box.release() }
    return code == 0
  }

  private func run() {
    var petting = Petting(timeoutNanoseconds: 0)
    while !isStopped.load(ordering: .acquiring) {
      petting.timeoutNanoseconds = timeoutNanoseconds.load(ordering: .acquiring)
      let limit = limit.load(ordering: .acquiring)
      switch petting.wake(at: Self.now(), limit: limit) {
      case .pet:
        pet()
        if case .reset(let reason) = petting.petted(at: Self.now(), limit: limit) { reset(reason) }
      case .hold: break
      case .reset(let reason): reset(reason)
      }
      Self.sleep(nanoseconds: petNanoseconds.load(ordering: .acquiring))
    }
  }

  private func pet() {
    let watchdog = descriptor.load(ordering: .acquiring)
    if watchdog >= 0, clinux_watchdog_pet(watchdog) != 0 {
      failedPets.store(errno, ordering: .releasing)
    }
  }

  public static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private static func sleep(nanoseconds: UInt64) {
    var time = timespec(
      tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    _ = clock_nanosleep(CLOCK_BOOTTIME, 0, &time, nil)
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
