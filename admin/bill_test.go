package admin_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestTheBillCountsEachActiveStandardUserOnce(t *testing.T) {
	w := newWorld(t)
	w.policy(`features:
  - {key: part-list, seat: {monthly: "4.10", currency: EUR}}
  - {key: reports, seat: {monthly: "10", currency: USD}}
  - {key: help}
`)
	ana, ben := w.user("ana"), w.user("ben")
	group := w.group("Engineering", ana, ben)
	for _, g := range []directory.Grant{{Group: group}, {User: ana}} {
		g.Privilege, g.Origin, g.By = directory.Privilege{Kind: directory.Access, Key: "part-list"}, directory.ByHand, "test"
		w.apply(directory.PutGrant{Grant: g})
	}
	bill, err := w.Bill(t.Context())
	if err != nil || len(bill.Features) != 2 || bill.Features[0].Seats != 2 || bill.Features[0].Cost != "8.20" || bill.Features[1].Seats != 0 {
		t.Fatalf("Bill = %+v, %v", bill, err)
	}
	if len(bill.Money) != 2 || bill.Money[0] != (admin.BilledMoney{Currency: "EUR", Amount: "8.20"}) {
		t.Errorf("money = %+v", bill.Money)
	}
	if err := w.store.NoteLogins(t.Context(), map[directory.UserID]time.Time{ana: w.now}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute) // lists follow last logins every half minute
	holders, err := w.SeatHolders(t.Context(), "part-list", 1, 1)
	if err != nil || holders.Total != 2 || len(holders.Items) != 1 || holders.Items[0].ID != ben {
		t.Errorf("SeatHolders = %+v, %v", holders, err)
	}
	idle, err := w.IdleSeats(t.Context())
	if err != nil || idle["part-list"] != 1 {
		t.Errorf("IdleSeats = %v, %v; want the one who never signed in", idle, err)
	}
	who, err := w.FindSeats(t.Context(), admin.SeatsQuery{Feature: "part-list", Login: admin.IdleLogin, Limit: 10})
	if err != nil || who.Total != 1 || who.Items[0].ID != ben {
		t.Errorf("FindSeats of the idle = %+v, %v; want ben", who, err)
	}
	w.now = w.now.Add(time.Hour)
	w.apply(directory.SetBlock{User: ben, Blocked: true, Reason: "left"})
	if known, whole, err := w.KnownBillTrend(t.Context(), 40*time.Minute, 3); err != nil || whole || len(known) != 1 {
		t.Errorf("KnownBillTrend before any was counted = %+v, %v, %v", known, whole, err)
	}
	trend, err := w.BillTrend(t.Context(), 40*time.Minute, 3)
	if err != nil || len(trend) != 3 || trend[2].Features[0].Seats != 1 {
		t.Errorf("BillTrend = %+v, %v", trend, err)
	}
	if known, whole, err := w.KnownBillTrend(t.Context(), 40*time.Minute, 3); err != nil || !whole || !reflect.DeepEqual(known, trend) {
		t.Errorf("KnownBillTrend = %+v, %v, %v; want the trend that was counted", known, whole, err)
	}
	_, err = w.Bill(admin.WithPrincipal(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(ana)}))
	wantErr(t, "Bill of somebody without rights", err, admin.ErrForbidden)
}
