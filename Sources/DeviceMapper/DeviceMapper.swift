// libdevmapper behind the interface that VolumeActivation defines.
