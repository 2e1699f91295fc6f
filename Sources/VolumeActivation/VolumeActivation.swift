// From a VG model to mapped devices, and from there to ordered device-mapper operations.
