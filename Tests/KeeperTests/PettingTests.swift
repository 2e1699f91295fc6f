import Testing

@testable import Keeper

@Suite struct PettingTests {
  @Test func `without a limit it pets for ever`() {
    var petting = Petting(timeoutNanoseconds: 6)
    for now: UInt64 in [0, 5, 1 << 60] {
      #expect(petting.wake(at: now, limit: Petting.unlimited) == .pet)
      #expect(petting.petted(at: now, limit: Petting.unlimited) == .pet)
    }
  }

  @Test func `within the lease it pets, after it not, and a renewed lease lets it go on`() {
    var petting = Petting(timeoutNanoseconds: 6)
    #expect(petting.wake(at: 9, limit: 10) == .pet)
    #expect(petting.wake(at: 10, limit: 10) == .hold)
    #expect(petting.wake(at: 15, limit: 10) == .hold)
    #expect(petting.wake(at: 15, limit: 20) == .pet)
    #expect(petting.wake(at: 20, limit: 20) == .hold)
  }

  @Test func `a lease that stays over for the watchdog's time is a reset of its own`() {
    var petting = Petting(timeoutNanoseconds: 6)
    #expect(petting.wake(at: 10, limit: 10) == .hold)
    #expect(petting.wake(at: 15, limit: 10) == .hold)
    #expect(petting.wake(at: 16, limit: 10) == .reset(.leaseOver))
  }

  @Test func `a lease that is given up counts from now, not from the boot`() {
    var petting = Petting(timeoutNanoseconds: 6)
    #expect(petting.wake(at: 1000, limit: 0) == .hold)
    #expect(petting.wake(at: 1005, limit: 0) == .hold)
    #expect(petting.wake(at: 1006, limit: 0) == .reset(.leaseOver))
  }

  @Test func `a pet that ends after the lease is a reset, whatever the lease is by then`() {
    let petting = Petting(timeoutNanoseconds: 6)
    #expect(petting.petted(at: 10, limit: 10) == .reset(.pettedTooLate))
    #expect(petting.petted(at: 9, limit: 10) == .pet)
  }
}
