package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/juliendoutre/proxaudit/enforce"
	"github.com/juliendoutre/proxaudit/policy"
)

// grpcServer is grpc-go's own server, of its own HTTP/2 implementation.
type grpcServer struct {
	testgrpc.UnimplementedTestServiceServer
	began chan bool  // a call waits; whether it has a deadline
	ended chan error // how its context ended
}

func (s *grpcServer) UnaryCall(ctx context.Context, in *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-header", "h", "x-bin", "\x00\xff"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "t", "x-seen", strings.Join(md.Get("x-sent"), "+")))
	switch want := in.GetResponseStatus(); {
	case want != nil:
		return nil, status.Error(codes.Code(want.GetCode()), want.GetMessage())
	case in.GetFillUsername(): // wait for the end
		_, limited := ctx.Deadline()
		s.began <- limited
		<-ctx.Done()
		s.ended <- ctx.Err()
		return nil, ctx.Err()
	}
	return &testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: in.GetPayload().GetBody()}}, nil
}

func (s *grpcServer) StreamingInputCall(stream grpc.ClientStreamingServer[testgrpc.StreamingInputCallRequest, testgrpc.StreamingInputCallResponse]) error {
	var sum int32
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: sum})
		}
		if err != nil {
			return err
		}
		sum += int32(len(in.GetPayload().GetBody()))
	}
}

func (s *grpcServer) StreamingOutputCall(in *testgrpc.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]) error {
	for _, p := range in.GetResponseParameters() {
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: &testgrpc.Payload{Body: make([]byte, p.GetSize())}}); err != nil {
			return err
		}
	}
	if want := in.GetResponseStatus(); want != nil {
		stream.SetTrailer(metadata.Pairs("x-late", "1"))
		return status.Error(codes.Code(want.GetCode()), want.GetMessage())
	}
	return nil
}

func (s *grpcServer) FullDuplexCall(stream grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

// grpcClient calls a grpcServer through w.
func grpcClient(t *testing.T, w *wire) (testgrpc.TestServiceClient, *grpcServer) {
	t.Helper()
	leaf, err := w.origin.authority.Leaf("ok.test")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &grpcServer{began: make(chan bool, 1), ended: make(chan error, 1)}
	s := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(leaf)))
	testgrpc.RegisterTestServiceServer(s, server)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	w.at = l.Addr().(*net.TCPAddr).Port
	return testgrpc.NewTestServiceClient(grpcConn(t, w)), server
}

// grpcConn connects through w when the first call is made.
func grpcConn(t *testing.T, w *wire) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+w.fill("%h"),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: w.roots})),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return w.rawTLS("ok.test"), nil }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestGRPC: grpc-go on both sides notices nothing: all four kinds of call, with
// metadata, trailers, errors, deadlines and cancellation.
func TestGRPC(t *testing.T) {
	calls := map[string]func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, s *grpcServer){
		"unary": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			body := bytes.Repeat([]byte("x"), 1<<20)
			var header, trailer metadata.MD
			ctx = metadata.AppendToOutgoingContext(ctx, "x-sent", "a", "x-sent", "b")
			out, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: body}}, grpc.Header(&header), grpc.Trailer(&trailer))
			if err != nil || !bytes.Equal(out.GetPayload().GetBody(), body) {
				t.Fatalf("%v", err)
			}
			if header.Get("x-header")[0] != "h" || header.Get("x-bin")[0] != "\x00\xff" || trailer.Get("x-trailer")[0] != "t" || trailer.Get("x-seen")[0] != "a+b" {
				t.Errorf("header %v, trailer %v", header, trailer)
			}
		},
		"client stream": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			stream, err := c.StreamingInputCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				if err := stream.Send(&testgrpc.StreamingInputCallRequest{Payload: &testgrpc.Payload{Body: make([]byte, i)}}); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := stream.CloseAndRecv(); err != nil || out.GetAggregatedPayloadSize() != 4950 {
				t.Errorf("%v, %v", out, err)
			}
		},
		"server stream": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			sizes := []int{0, 1, 100_000, 3}
			if got, err := outputs(ctx, c, nil, sizes...); err != nil || !slices.Equal(got, sizes) {
				t.Errorf("%v, %v", got, err)
			}
		},
		"both ways": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			stream, err := c.FullDuplexCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 50 { // each waits for the answer to the one before
				if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: &testgrpc.Payload{Body: make([]byte, i)}}); err != nil {
					t.Fatal(err)
				}
				if out, err := stream.Recv(); err != nil || len(out.GetPayload().GetBody()) != i {
					t.Fatalf("%v, %v", out, err)
				}
			}
			_ = stream.CloseSend()
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("the end: %v", err)
			}
		},
		"an error, in trailers only": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			_, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseStatus: &testgrpc.EchoStatus{Code: int32(codes.NotFound), Message: "nicht gefunden: ü %"}})
			if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "nicht gefunden: ü %" {
				t.Errorf("%v", err)
			}
		},
		"an error behind messages": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			got, err := outputs(ctx, c, &testgrpc.EchoStatus{Code: int32(codes.Aborted), Message: "late"}, 1, 2)
			if s := status.Convert(err); s.Code() != codes.Aborted || s.Message() != "late" || len(got) != 2 {
				t.Errorf("%v, %v", got, err)
			}
		},
		"a method that is not there": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, _ *grpcServer) {
			if _, err := c.UnimplementedCall(ctx, &testgrpc.Empty{}); status.Code(err) != codes.Unimplemented {
				t.Errorf("%v", err)
			}
		},
		"a deadline": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, s *grpcServer) {
			late := &passedWhenSaid{ctx, make(chan struct{})}
			limited := make(chan bool, 1)
			go func() { limited <- <-s.began; close(late.passed) }()
			if _, err := c.UnaryCall(late, &testgrpc.SimpleRequest{FillUsername: true}); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("%v", err)
			}
			if !await(t, limited) {
				t.Error("the server was told of no deadline")
			}
			if err := await(t, s.ended); !errors.Is(err, context.Canceled) {
				t.Errorf("the server saw %v", err)
			}
		},
		"a cancellation": func(t *testing.T, ctx context.Context, c testgrpc.TestServiceClient, s *grpcServer) {
			ctx, cancel := context.WithCancel(ctx)
			go func() { <-s.began; cancel() }()
			if _, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{FillUsername: true}); status.Code(err) != codes.Canceled {
				t.Errorf("%v", err)
			}
			if err := await(t, s.ended); !errors.Is(err, context.Canceled) {
				t.Errorf("the server saw %v", err)
			}
		},
	}
	for _, e := range entrances2 {
		for name, call := range calls {
			t.Run(e.name+", "+name, func(t *testing.T) {
				t.Parallel()
				w := newWire(t, e, allowHost("ok.test"), text("x"))
				c, s := grpcClient(t, w)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				call(t, ctx, c, s)
				w.end()
				if ev := w.events.one(t, enforce.StageRequest); !strings.HasPrefix(ev.Path, "/grpc.testing.TestService/") || ev.Method != "POST" || ev.Action != policy.Allow {
					t.Errorf("event %+v", ev)
				}
				w.events.one(t, enforce.StageResponse)
			})
		}
	}
}

// passedWhenSaid is a context with a deadline, which passes when the test says so:
// not before the call has reached the server, nor at the server's clock first.
type passedWhenSaid struct {
	context.Context // with a deadline
	passed          chan struct{}
}

func (c *passedWhenSaid) Done() <-chan struct{} { return c.passed }

func (c *passedWhenSaid) Err() error {
	select {
	case <-c.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// outputs makes a call whose answer is a stream, and returns the sizes received.
func outputs(ctx context.Context, c testgrpc.TestServiceClient, end *testgrpc.EchoStatus, sizes ...int) (got []int, err error) {
	in := &testgrpc.StreamingOutputCallRequest{ResponseStatus: end}
	for _, n := range sizes {
		in.ResponseParameters = append(in.ResponseParameters, &testgrpc.ResponseParameters{Size: int32(n)})
	}
	stream, err := c.StreamingOutputCall(ctx, in)
	if err != nil {
		return nil, err
	}
	for {
		out, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, len(out.GetPayload().GetBody()))
	}
}

// TestGRPCErrorAtOnce: an answer that is an error and nothing else stays one header
// that ends the stream, however long the event about it takes: as a header and an
// end of the stream it would be an answer that broke off.
func TestGRPCErrorAtOnce(t *testing.T) {
	for _, e := range entrances2 {
		t.Run(e.name, func(t *testing.T) {
			w := newWire(t, e, allowHost("ok.test"), text("x"))
			w.proxy.Gate.Recorder = slowRecorder{w.events}
			c, _ := grpcClient(t, w)
			if _, err := c.UnimplementedCall(t.Context(), &testgrpc.Empty{}); status.Code(err) != codes.Unimplemented {
				t.Errorf("%v", err)
			}
		})
	}
}

// slowRecorder takes its time, as a busy disk does.
type slowRecorder struct{ enforce.Recorder }

func (r slowRecorder) Record(ev enforce.Event) error {
	time.Sleep(20 * flushDelay)
	return r.Recorder.Record(ev)
}
