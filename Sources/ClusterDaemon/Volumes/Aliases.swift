import VolumeActivation
import VolumeCoordination

typealias MappingChange = VolumeActivation.VolumeChange
typealias VolumeChange = VolumeCoordination.VolumeChange
