`timescale 1 ns / 1 ps

// A table with a clocked read port, its words in a file of the simulation's folder.
module zeroskip_top_rom (address0, ce0, q0, clk);

parameter DataWidth = 8;
parameter AddressWidth = 5;
parameter AddressRange = 18;
parameter File = "";

input[AddressWidth-1:0] address0;
input ce0;
output reg[DataWidth-1:0] q0;
input clk;

(* rom_style = "auto" *) reg [DataWidth-1:0] rom0[0:AddressRange-1];

initial begin
    $readmemh(File, rom0);
end

always @(posedge clk)
begin
    if (ce0)
    begin
        q0 <= rom0[address0];
    end
end

endmodule
