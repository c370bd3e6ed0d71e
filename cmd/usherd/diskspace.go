package main

import (
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/usherd/usherd/config"
)

// Below one of these a disk is worth a warning.
const (
	leastFree        = 1 << 30 // bytes
	leastFreePercent = 10
)

// A room is how much of a disk those who are no superuser may still use.
type room struct{ free, all uint64 } // bytes

// roomOf measures the disk of a folder, as df does: what is reserved for the
// superuser is neither free nor counted.
func roomOf(folder string) (room, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return room{}, fmt.Errorf("measuring the disk of %s: %w", folder, err)
	}
	size, free := uint64(fs.Bsize), fs.Bavail
	return room{free: free * size, all: (fs.Blocks - fs.Bfree + free) * size}, nil
}

// tight reports whether little is left.
func (r room) tight() bool { return r.free < leastFree || r.free*100 < r.all*leastFreePercent }

func (r room) String() string {
	const gib = 1 << 30
	return fmt.Sprintf("%.1f of %.1f GiB are free", float64(r.free)/gib, float64(r.all)/gib)
}

// diskSpace looks at the disks of the data folder and of what runs spool.
func diskSpace(cfg *config.Config) []diagnosis {
	var list []diagnosis
	seen := map[room]bool{}
	for _, folder := range []string{cfg.Data, filepath.Join(cfg.Data, "tmp")} {
		r, err := roomOf(folder)
		if err != nil || seen[r] {
			continue // it is not there yet, or is the same disk
		}
		seen[r] = true
		list = append(list, diagnoseRoom(folder, r))
	}
	return list
}

func diagnoseRoom(folder string, r room) diagnosis {
	d := diagnosis{"disk space", success, r.String() + " in " + folder, ""}
	if r.tight() {
		d.Result, d.Do = warning, "free space there, or move the folder to a larger disk: when it is full, nothing can be changed"
	}
	return d
}
