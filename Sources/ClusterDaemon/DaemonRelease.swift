/// Which clvmd this is, for comparing nodes with each other.
public enum DaemonRelease {
  public static let text = "0.1.0"
}
